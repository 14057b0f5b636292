"""What the command line hands to the process that runs a notebook: one JSON file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Request:
    """One notebook to run; every path is absolute.

    ``work`` is a private folder for the connection to the kernel and the evidence, ``output`` where the
    executed notebook ends and ``partial`` where it is while it runs; ``stop_file``, empty for none, is
    written to ask the training to stop; ``parent`` is the process id of the asker and ``parameters_cell`` the
    index of that cell.
    """

    notebook: str
    parameters: dict[str, Any]
    parameters_cell: int
    output: str
    partial: str
    work: str
    stop_file: str
    parent: int

    @property
    def evidence(self) -> Path:
        """The file of events."""
        return Path(self.work) / "evidence.jsonl"

    def write(self) -> Path:
        """Write the request into its work folder and return its path."""
        path = Path(self.work) / "request.json"
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: Path) -> Request:
        """Read back what ``write`` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def source_cell(self, index: int) -> int | None:
        """Return the cell of the source that cell ``index`` of the run is; None is the injected one."""
        if not self.parameters or index <= self.parameters_cell:
            return index
        return None if index == self.parameters_cell + 1 else index - 1
