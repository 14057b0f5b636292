"""The parameters cell of a notebook that is pushed: its literals replaced by the values asked for, comments kept."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any


def with_values(source: str, values: Mapping[str, Any]) -> str:
    """Return the source of a parameters cell with the defaults of ``values`` replaced; all else stays as it is.

    The names and types were checked before (``kit.notebooks.parameters.check_values``).
    """
    lines = [line.encode() for line in source.splitlines(keepends=True)]
    for statement in reversed(ast.parse(source).body):  # from the end: what stands before keeps its place
        name = _name_of(statement)
        value = getattr(statement, "value", None)
        if name in values and isinstance(value, ast.expr):
            _replace(lines, value, repr(values[name]).encode())
    return b"".join(lines).decode()


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
