"""What is told to the process that plays the Kaggle machine, and what it tells in the end: a JSON file each way."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Isolation = Literal["namespaces", "redirected"]
NAMESPACES: Isolation = "namespaces"
REDIRECTED: Isolation = "redirected"


@dataclass(frozen=True)
class MachineOrder:
    """One run to play; every path is absolute.

    Attributes:
        notebook: the code file.
        inputs: name below ``/kaggle/input`` to the folder that is seen there.
        stage: a folder with an empty ``kaggle/working``, for everything that does not outlive the machine.
        limit_s: seconds after which everything is killed.
        memory_bytes: what all processes may hold together.
        disk_bytes: what ``/kaggle/working`` may hold.
        internet: whether the network is there.
        gpu: whether the machine's GPU is.
        isolation: namespaces, or a redirected root where those are not allowed.
        parent: the process that asked; when it is gone, everything ends.
    """

    notebook: str
    inputs: dict[str, str]
    stage: str
    limit_s: float
    memory_bytes: int
    disk_bytes: int
    internet: bool
    gpu: bool
    isolation: Isolation
    parent: int

    @property
    def kaggle(self) -> Path:
        """What is, or stands in for, ``/kaggle``; its ``working`` survives."""
        return Path(self.stage) / "kaggle"

    @property
    def working(self) -> Path:
        """What is, or stands in for, ``/kaggle/working``."""
        return self.kaggle / "working"

    @property
    def verdict(self) -> Path:
        """Where the machine's last word goes."""
        return Path(self.stage) / "verdict.json"

    @property
    def rescued(self) -> Path:
        """Where the content of ``/kaggle/working`` is put when it was a disk of its own; absent otherwise."""
        return Path(self.stage) / "rescued"

    def write(self) -> Path:
        """Write the order into the stage and return its path."""
        path = Path(self.stage) / "order.json"
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: Path) -> MachineOrder:
        """Read back what ``write`` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Verdict:
    """How the machine's run ended.

    ``ended_by`` is ``itself``, ``time``, ``memory``, ``disk``, or ``setup`` where the machine could not be made, which
    ``why`` then explains; ``exit_code`` is that of the first process, 137 where it was killed.
    """

    ended_by: Literal["itself", "time", "memory", "disk", "setup"]
    exit_code: int = 137
    why: str = ""
    elapsed_s: float = 0.0

    def write(self, path: Path) -> None:
        """Write it to ``path``."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Verdict:
        """Read back what ``write`` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))
