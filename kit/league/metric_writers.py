"""Metric writers: where rows of metrics go beside metrics.csv, if the library for it is there and somebody asks."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from kit.errors import MissingDependencyError, UsageError


class MetricWriter(Protocol):
    """Takes rows."""

    def write(self, step: int, row: Mapping[str, float]) -> None:
        """Take the metrics of an update."""
        ...

    def close(self) -> None:
        """Finish."""
        ...


class TensorBoardWriter:
    """Keeps a TensorBoard log in the run folder, made anew from metrics.csv every so many rows.

    Made anew, because a resumed run takes back rows after its checkpoint, and an event file cannot. The newest row
    may be in the next one only: the session writes metrics.csv after the update.

    Raises:
        MissingDependencyError: tensorboard is not installed.
    """

    def __init__(self, run_dir: Path, every: int = 10) -> None:
        if every < 1:
            raise UsageError(f"every must be at least 1 row, not {every}.")
        _load("tensorboard.summary.writer.record_writer", "tensorboard")
        self._run_dir, self._every, self._rows = run_dir, every, 0

    def write(self, step: int, row: Mapping[str, float]) -> None:
        """Count a row, and make the log anew when it is due."""
        del step, row
        self._rows += 1
        if self._rows % self._every == 0:
            self.close()

    def close(self) -> None:
        """Make the log anew."""
        from kit.report.tensorboard import write_tensorboard

        write_tensorboard(self._run_dir)


class WandbWriter:
    """Sends rows to Weights & Biases; without a network its library keeps them in ``folder``.

    Raises:
        MissingDependencyError: wandb is not installed.
    """

    def __init__(self, project: str, run_name: str, folder: Path) -> None:
        wandb = _load("wandb", "wandb")
        self._run = wandb.init(project=project, name=run_name, id=run_name, dir=str(folder), resume="allow")

    def write(self, step: int, row: Mapping[str, float]) -> None:
        """Send a row."""
        self._run.log(dict(row), step=step)

    def close(self) -> None:
        """Finish the run there."""
        self._run.finish()


def _load(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependencyError(f"{package} is not installed: pip install {package}.") from error
