"""What the source of a notebook's cells says, read without running it: keywords of a call, and where a name flows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)
COMPUTED = object()
"""Stands for a value that is no literal."""
MUTATORS = frozenset({"append", "extend", "insert", "update", "setdefault", "add"})
"""Methods that put what they are given into the object they are called on."""


def trees(cells: Iterable[str]) -> list[ast.Module]:
    """Return the cells as syntax trees; magics are left out, as are cells that are no Python."""
    found = []
    for cell in cells:
        try:
            found.append(ast.parse("" if cell.lstrip().startswith("%%") else MAGIC.sub(r"\1pass", cell)))
        except SyntaxError:
            continue  # running it will say so
    return found


def calls_of(cells: Iterable[str], name: str) -> Iterator[ast.Call]:
    """Yield each call of ``name``, such as ``TrainingSession.open`` or ``learn``, in the cells."""
    for tree in trees(cells):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (text := ast.unparse(node.func)) and _is(text, name):
                yield node


def _is(text: str, name: str) -> bool:
    return text == name or text.endswith(f".{name}")


def keywords_of(cells: Iterable[str], name: str, keyword: str) -> list[Any]:
    """Return what each call of ``name`` hands over as ``keyword``: its literal, or COMPUTED."""
    found = []
    for call in calls_of(cells, name):
        for given in call.keywords:
            if given.arg == keyword:
                found.append(_literal(given.value))
    return found


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError, RecursionError):
        return COMPUTED


def names_that_follow(cells: Iterable[str], name: str, but_for: str) -> dict[str, str]:
    """Return the names whose values depend on ``name``, each with the line that makes it so.

    Followed are assignments, augmented ones and loops, whatever is assigned under an ``if``, ``while`` or ``for`` that
    mentions one of the names, and definitions that mention one. A call of ``but_for`` passes nothing on. What a call
    changes inside its arguments is not seen.
    """
    following = {name: ""}
    modules = trees(cells)
    while True:
        before = len(following)
        for module in modules:
            _follow(module.body, following, but_for, "")
        if len(following) == before:
            break
    del following[name]
    return following


def _follow(body: list[ast.stmt], following: dict[str, str], but_for: str, under: str) -> None:
    for statement in body:
        line = under or ast.unparse(statement).split("\n")[0]
        if under or _mentions(statement, following, but_for, shallow=True):
            for target in _assigned(statement):
                following.setdefault(target, line)
        condition = getattr(statement, "test", None) or getattr(statement, "iter", None)
        inner = under
        if condition is not None and _mentions(condition, following, but_for):
            inner = line
        for part in ("body", "orelse", "finalbody"):
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                _follow(getattr(statement, part, []), following, but_for, inner)


def _assigned(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    targets: list[ast.AST] = []
    if isinstance(statement, ast.Assign):
        targets = list(statement.targets)
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign | ast.For):
        targets = [statement.target]
    elif isinstance(statement, ast.Expr):
        call = statement.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in MUTATORS:
            targets = [call.func.value]
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]


def _mentions(node: ast.AST, names: Mapping[str, str], but_for: str, *, shallow: bool = False) -> bool:
    """Whether ``node`` uses one of ``names``, the first of them also as an attribute; not within calls of ``but_for``.

    Shallow: nor in a block below it.
    """
    blocks = ast.If | ast.While | ast.With | ast.Try
    if shallow and isinstance(node, blocks):
        return False
    if isinstance(node, ast.Call) and _is(ast.unparse(node.func), but_for):
        return False
    if isinstance(node, ast.Name):
        return node.id in names
    if isinstance(node, ast.Attribute) and node.attr == next(
        iter(names)
    ):  # session.quick_test, as quick_test
        return True
    children = ast.iter_child_nodes(node)
    if shallow and isinstance(node, ast.For):
        children = iter([node.iter])
    return any(_mentions(child, names, but_for) for child in children)
