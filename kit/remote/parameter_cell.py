"""The parameters cell of a notebook that is pushed: its literals replaced by the values asked for, comments kept."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from kit.errors import UsageError

_LINE_ENDS = re.compile(r"(?<=\n)|(?<=\r)(?!\n)")
"""Where Python ends a line: form feeds, and what else text may break at, stand inside one."""


def with_values(source: str, values: Mapping[str, Any]) -> str:
    """Return the source of a parameters cell with the defaults of ``values`` replaced; all else stays as it is.

    The names and types were checked before (``kit.notebooks.parameters.check_values``).

    Raises:
        UsageError: what came of it would not be read back as these values.
    """
    lines = [line.encode() for line in _LINE_ENDS.split(source)]
    for statement in reversed(ast.parse(source).body):  # from the end: what stands before keeps its place
        name = _name_of(statement)
        value = getattr(statement, "value", None)
        if name in values and isinstance(value, ast.expr):
            _replace(lines, value, repr(values[name]).encode())
    changed = b"".join(lines).decode()
    _check(changed, values)
    return changed


def _check(source: str, values: Mapping[str, Any]) -> None:
    try:
        found = {_name_of(one): getattr(one, "value", None) for one in ast.parse(source).body}
        read = {name: ast.literal_eval(value) for name, value in found.items() if name in values and value}
    except (ValueError, SyntaxError) as error:
        raise UsageError(f"The parameters cell cannot be given these values: {error}.") from error
    wrong = [name for name, value in values.items() if name not in read or read[name] != value]
    if wrong:
        raise UsageError(f"The parameters cell cannot be given these values: {', '.join(wrong)}.")


def _name_of(statement: ast.stmt) -> str:
    if isinstance(statement, ast.Assign):
        target: ast.expr = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign):
        target = statement.target
    else:
        return ""
    return target.id if isinstance(target, ast.Name) else ""


def _replace(lines: list[bytes], old: ast.expr, new: bytes) -> None:
    """Put ``new`` where an expression stands; ast counts its columns in bytes, and the lines from 1."""
    first, last = old.lineno - 1, (old.end_lineno or old.lineno) - 1
    head, tail = lines[first][: old.col_offset], lines[last][old.end_col_offset :]
    lines[first : last + 1] = [head + new + tail]
