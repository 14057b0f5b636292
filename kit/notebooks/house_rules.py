"""What a notebook of this project looks like, checked without running it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from kit.errors import UsageError
from kit.notebooks.document import Cell, Document
from kit.notebooks.parameters import read_parameters

LONGEST_CELL = 25
MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)


def check_notebook(path: Path) -> list[str]:
    """Return what is wrong with the notebook at ``path``, one line each; an empty list is a clean one.

    The rules: it is valid nbformat; no cell carries an output, an execution count or a tag that hides an
    error or skips the cell; exactly one cell is tagged ``parameters`` and holds literals; code is Python
    without ``def`` or ``class``; no code cell is longer than 25 lines.
    """
    try:
        document = Document.read(path)
    except UsageError as error:
        return [str(error)]
    wrong = _format_faults(document)
    try:
        read_parameters(path)
    except UsageError as error:
        wrong.append(str(error))
    for cell in document.cells:
        wrong.extend(f"{path.name}, cell {cell.index}: {fault}" for fault in _cell_faults(cell))
    return wrong


def _format_faults(document: Document) -> list[str]:
    from nbformat import ValidationError
    from nbformat.validator import iter_validate

    faults: list[ValidationError] = list(iter_validate(document.raw))  # type: ignore[no-untyped-call]
    ids = [cell.get("id") for cell in document.raw["cells"]]
    wrong = [f"{document.path.name} is not valid nbformat: {fault.message}" for fault in faults]
    if len(set(ids)) < len(ids):
        wrong.append(f"{document.path.name} is not valid nbformat: two cells have the same id, or none")
    return wrong


def _cell_faults(cell: Cell) -> list[str]:
    if cell.kind != "code":
        return []
    faults = []
    if cell.outputs:
        faults.append("it carries outputs: clear them before committing")
    if cell.execution_count is not None:
        faults.append(f"it carries the execution count {cell.execution_count}: clear it")
    hiding = sorted(cell.tags & {"raises-exception", "skip-execution"})
    if hiding:
        faults.append(f"the tag {hiding[0]!r} has no place here: a run treats such a cell as failed")
    lines = len(cell.source.splitlines())
    if lines > LONGEST_CELL:
        faults.append(f"it has {lines} lines, more than {LONGEST_CELL}: move code into kit/")
    return faults + _code_faults(cell.source)


def _code_faults(source: str) -> list[str]:
    if source.lstrip().startswith("%%"):
        return []
    try:
        tree = ast.parse(MAGIC.sub(r"\1pass", source))
    except SyntaxError as error:
        return [f"line {error.lineno} is not Python: {error.msg}"]
    words = {ast.FunctionDef: "def", ast.AsyncFunctionDef: "async def", ast.ClassDef: "class"}
    return [
        f"line {node.lineno}: '{words[type(node)]} {node.name}' belongs into kit/, where it is tested"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
