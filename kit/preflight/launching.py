"""What is known before a run starts: where it will write, when it will end, what its notebook says."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.harness.atomic import storage_error
from kit.harness.deadline import Limits
from kit.harness.platform import Platform
from kit.harness.run_folder import RunFolder

SCRATCH = ".kit-preflight-"


@dataclass(frozen=True)
class Launching:
    """A run about to start.

    Attributes:
        folder: its run folder, which need not exist yet.
        platform: where it runs.
        limits: the deadlines that will hold, seconds.
        parameters: the values that the notebook's parameters will have.
        defaults: those that the notebook itself gives them.
        cells: the source of its code cells.
        options: options of its session that do not come from the notebook.
        requirements: the file that lists the libraries it needs.
        need_bytes: the disk that the run is forecast to take with its archive; 0 where nothing is known yet.
    """

    folder: RunFolder
    platform: Platform
    limits: Limits
    parameters: Mapping[str, Any]
    defaults: Mapping[str, Any]
    cells: tuple[str, ...]
    requirements: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    need_bytes: int = 0

    @property
    def standing(self) -> Path:
        """The run folder, or the nearest folder above it that is there."""
        root = self.folder.root
        return next((path for path in (root, *root.parents) if path.is_dir()), root)

    @contextmanager
    def scratch(self) -> Generator[Path, None, None]:
        """Make a folder where the run will write, for as long as the block lasts.

        Raises:
            StorageError: nothing can be written there.
        """
        where = self.standing
        try:
            made = tempfile.TemporaryDirectory(prefix=SCRATCH, dir=where)
        except OSError as error:
            raise storage_error(self.folder.root, error) from error
        with made as name:
            yield Path(name)
