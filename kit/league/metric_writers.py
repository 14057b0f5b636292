"""Metric writers: where rows of metrics go beside metrics.csv, if the library for it is there and somebody asks."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kit.errors import MissingDependencyError

if TYPE_CHECKING:
    from kit.session import TrainingSession


class MetricWriter(Protocol):
    """Takes rows."""

    def write(self, step: int, row: Mapping[str, float]) -> None:
        """Take the metrics of an update."""
        ...

    def close(self) -> None:
        """Finish."""
        ...


class WandbWriter:
    """Sends rows to Weights & Biases; without a network its library keeps them in ``folder``.

    Of the rows that a killed run writes a second time the service keeps the first ones: they are the same.

    Args:
        project: there.
        run_id: what the run is known by there; rows of a resumed run go to the one that has it already.
        name: what is shown.
        folder: where the library keeps its own files.

    Raises:
        MissingDependencyError: wandb is not installed.
    """

    def __init__(self, project: str, run_id: str, name: str, folder: Path) -> None:
        wandb = _load("wandb", "wandb")
        self._run = wandb.init(project=project, id=run_id, name=name, dir=str(folder), resume="allow")

    def write(self, step: int, row: Mapping[str, float]) -> None:
        """Send a row."""
        self._run.log(dict(row), step=step)

    def close(self) -> None:
        """Finish the run there."""
        self._run.finish()


@dataclass(frozen=True)
class MetricLogs:
    """Which logs are kept beside metrics.csv; none of them decides a result.

    Attributes:
        tensorboard: whether the session keeps a TensorBoard log in the run folder, made anew from metrics.csv at every
            export: a resumed run takes rows back, and an event file cannot.
        wandb_project: project of Weights & Biases that rows are sent to; None: to none.

    Raises:
        MissingDependencyError: the library for one that is asked for is not installed.
    """

    tensorboard: bool = False
    wandb_project: str | None = None

    def __post_init__(self) -> None:
        if self.tensorboard:
            _load("tensorboard.summary.writer.record_writer", "tensorboard")
        if self.wandb_project is not None:
            _load("wandb", "wandb")

    def writers(self, session: TrainingSession) -> tuple[MetricWriter, ...]:
        """Return what the rows of a session's run are handed to; TensorBoard's log is the session's own."""
        if self.wandb_project is None:
            return ()
        root = session.folder.root
        return (WandbWriter(self.wandb_project, identity(session), root.name, root),)


def identity(session: TrainingSession) -> str:
    """Return what tells a run from any other, and is the same in each of its sessions, wherever its folder lies.

    Its settings, and the second in which its first session began.
    """
    facts = f"{session.record_of_run.config_hash} {session.ledger.entries[0].began}"
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def _load(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependencyError(f"{package} is not installed: pip install {package}.") from error
