"""A notebook as it lies on disk, read with the standard library so that the command line starts fast."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.errors import UsageError

EXECUTED_TAGS = frozenset({"injected-parameters", "papermill-error-cell-tag"})


@dataclass(frozen=True)
class Cell:
    """One cell. ``index`` counts every cell of the notebook from 0; ``outputs`` is how many it carries."""

    index: int
    kind: str
    source: str
    tags: frozenset[str]
    outputs: int
    execution_count: int | None

    @property
    def runs(self) -> bool:
        """Whether a run has to execute this cell: code that is not blank, whatever its tags say."""
        return self.kind == "code" and bool(self.source.strip())


@dataclass(frozen=True)
class Document:
    """A notebook of format 4. ``raw`` is its JSON, for the validator."""

    path: Path
    cells: tuple[Cell, ...]
    raw: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Document:
        """Read ``path``. Raises UsageError where it is no notebook of format 4 or above."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"Notebook {path} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise UsageError(f"{path} is not a notebook: it holds no valid JSON ({error}).") from error
        if not isinstance(raw, dict) or not isinstance(raw.get("cells"), list) or raw.get("nbformat", 0) < 4:
            raise UsageError(f"{path} is not a notebook of format 4 (no list of cells).")
        return cls(path, tuple(_cell(index, cell, path) for index, cell in enumerate(raw["cells"])), raw)

    def tagged(self, tag: str) -> list[Cell]:
        """Return the cells that carry ``tag``, in order."""
        return [cell for cell in self.cells if tag in cell.tags]

    def cells_to_run(self) -> list[int]:
        """Return the indices of the cells that a complete run executes."""
        return [cell.index for cell in self.cells if cell.runs]

    @property
    def parameters_cell(self) -> Cell:
        """The one cell tagged ``parameters``. Raises UsageError where there is none or more than one."""
        executed = [cell for cell in self.cells if cell.tags & EXECUTED_TAGS]
        if executed:
            raise UsageError(
                f"{self.path} is the executed copy of a notebook (a run added cell {executed[0].index}): "
                "run the notebook it was made from."
            )
        found = self.tagged("parameters")
        if not found:
            raise UsageError(f"{self.path} has no cell tagged 'parameters'; it needs exactly one.")
        if len(found) > 1:
            where = ", ".join(str(cell.index) for cell in found)
            raise UsageError(
                f"{self.path} has {len(found)} cells tagged 'parameters' ({where}); it needs exactly one."
            )
        if found[0].kind != "code":
            raise UsageError(f"{self.path}: cell {found[0].index}, tagged 'parameters', is not a code cell.")
        return found[0]


def _cell(index: int, raw: Any, path: Path) -> Cell:
    if not isinstance(raw, dict):
        raise UsageError(f"{path} is not a notebook: cell {index} is no object.")
    source = raw.get("source", "")
    tags = (raw.get("metadata") or {}).get("tags") or ()
    return Cell(
        index=index,
        kind=str(raw.get("cell_type", "")),
        source="".join(source) if isinstance(source, list) else str(source),
        tags=frozenset(str(tag) for tag in tags),
        outputs=len(raw.get("outputs") or ()),
        execution_count=raw.get("execution_count"),
    )
