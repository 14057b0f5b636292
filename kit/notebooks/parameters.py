"""What a notebook can be asked for: the literals of its one ``parameters`` cell, with types and help."""

from __future__ import annotations

import ast
import io
import math
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.errors import UnknownNameError, UsageError
from kit.notebooks.document import Document

EXAMPLES: dict[type, str] = {
    bool: "true",
    int: "24_000",
    float: "0.5",
    str: "text",
    list: "[1, 2]",
    dict: '{"a": 1}',
    type(None): '"text"',
}


@dataclass(frozen=True)
class Parameter:
    """One assignment of the parameters cell.

    ``type`` is the type of ``default``: bool, int, float, str, list, dict, or NoneType for one that takes any
    literal. ``help`` is the comment behind the assignment.
    """

    name: str
    default: Any
    type: type
    help: str = ""

    @property
    def wants(self) -> str:
        """The wanted type in words, with an example, for messages."""
        kind = "any literal" if self.type is type(None) else self.type.__name__
        return f"{kind}, for example {self.name}={EXAMPLES[self.type]}"


def read_parameters(path: Path) -> dict[str, Parameter]:
    """Return the parameters of the notebook at ``path``, by name, in their order.

    Raises UsageError where there is no parameters cell or more than one, and where that cell holds anything
    but assignments of literals that JSON can carry too (so no tuples, sets or bytes), each name once.
    """
    cell = Document.read(path).parameters_cell
    where = f"{path}, cell {cell.index}"
    try:
        tree = ast.parse(cell.source)
    except SyntaxError as error:
        raise UsageError(f"{where} (parameters) is not Python: line {error.lineno}: {error.msg}.") from error
    comments = _comments(cell.source)
    found: dict[str, Parameter] = {}
    for statement in tree.body:
        name, default = _assignment(statement, where)
        if name in found:
            raise UsageError(f"{where}, line {statement.lineno}: parameter {name!r} is assigned twice.")
        found[name] = Parameter(name, default, type(default), comments.get(statement.end_lineno or 0, ""))
    return found


def check_values(values: Mapping[str, Any], parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """Return ``values`` if each is a known parameter and of its type; an int serves where a float is wanted.

    Raises UnknownNameError for a name the notebook does not have and UsageError for a value of another type.
    """
    for name, value in values.items():
        if name not in parameters:
            raise UnknownNameError("parameter", name, parameters)
        if not _fits(value, parameters[name].type):
            raise UsageError(
                f"Parameter {name!r} got {value!r} ({type(value).__name__}); "
                f"it wants {parameters[name].wants}."
            )
    return {name: _widened(value, parameters[name].type) for name, value in values.items()}


def is_portable(value: Any) -> bool:
    """Whether ``value`` reaches a notebook unchanged: finite numbers, text, None, lists and dicts of them."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return all(is_portable(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_portable(item) for key, item in value.items())
    return value is None or isinstance(value, bool | int | str)


def _fits(value: Any, wanted: type) -> bool:
    if not is_portable(value):
        return False
    if wanted is type(None):
        return True
    if isinstance(value, bool):
        return wanted is bool
    return isinstance(value, (int, float) if wanted is float else wanted)


def _widened(value: Any, wanted: type) -> Any:
    return float(value) if wanted is float else value


def _assignment(statement: ast.stmt, where: str) -> tuple[str, Any]:
    line = f"{where}, line {statement.lineno}"
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target, value = statement.target, statement.value
    else:
        raise UsageError(f"{line}: the parameters cell holds nothing but assignments, name = literal.")
    if not isinstance(target, ast.Name):
        raise UsageError(f"{line}: a parameter is a plain name, not {ast.unparse(target)!r}.")
    try:
        default = ast.literal_eval(value)
    except (ValueError, TypeError, MemoryError, RecursionError) as error:
        raise UsageError(
            f"{line}: the default of {target.id!r} is no literal: {ast.unparse(value)}. "
            "Compute it in a later cell, so that the command line can read and replace it."
        ) from error
    if not is_portable(default):
        raise UsageError(
            f"{line}: the default of {target.id!r} is a {type(default).__name__} that cannot be handed over: "
            "use None, a bool, a finite number, text, or a list or dict (keys: text) of those."
        )
    return target.id, default


def _comments(source: str) -> dict[int, str]:
    """Return the text of each comment by its line, counted from 1."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = (token for token in tokens if token.type == tokenize.COMMENT)
    return {token.start[0]: token.string.lstrip("# ").rstrip() for token in comments}
