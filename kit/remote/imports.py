"""What a notebook imports, itself and through the kit: read from the sources, nothing is executed.

Followed are imports at any depth of a module, since the kit imports what is heavy where it is needed; what only types
need is not. Not seen: modules that are imported by a computed name.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from kit.notebooks.document import Document
from kit.notebooks.house_rules import MAGIC

BESIDE = ("kit.harness.watchdog_process", "kit.report.__main__")
"""Modules that a session starts as processes of their own."""


def modules_of(document: Document, root: Path) -> set[str]:
    """Return the top-level modules, outside the kit and the standard library, that a notebook needs.

    ``root`` is the folder that holds the ``kit`` package.
    """
    sources = [MAGIC.sub(r"\1pass", cell.source) for cell in document.cells if cell.runs]
    names = {name for source in sources for name in _imports(ast.parse(source))} | set(BESIDE)
    waiting, seen, found = list(names), set(names), set()
    while waiting:
        name = waiting.pop()
        top = name.partition(".")[0]
        if top != "kit":
            found.add(top)
            continue
        for path in _files_of(name, root):
            new = _imports_in(path, path.stat().st_mtime_ns) - seen
            seen |= new
            waiting += new
    return found - sys.stdlib_module_names - {""}


def _files_of(name: str, root: Path) -> Iterator[Path]:
    """Yield the files that importing ``kit.a.b`` runs; the last part may be a name inside the module before it."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:length])
        for path in (place / "__init__.py", place.with_suffix(".py")):
            if path.is_file():
                yield path


@functools.cache
def _imports_in(path: Path, _changed_ns: int) -> frozenset[str]:
    """Return what a file imports; read once for each time that it was changed."""
    return frozenset(_imports(ast.parse(path.read_text())))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in _walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        inner: Iterable[ast.AST] = ast.iter_child_nodes(node)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            inner = node.orelse
        waiting += inner
