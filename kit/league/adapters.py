"""AdapterShelf: the adapters of a run, one folder an update, of which only those that somebody still plays stay."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from kit.errors import IntegrityError
from kit.harness.manifest import FileRecord
from kit.harness.store import regular_files, retire, sha256_file, sweep

FOLDER = "adapters"
CHECKPOINTS = 4
"""Checkpoints whose adapters stay: the two that are kept, one in writing, and one to spare."""


class AdapterShelf:
    """Folders ``adapters/000017`` below ``root``, called by that name everywhere, so that a run folder can move.

    An adapter goes when no game, no sampler and none of the last checkpoints needs it. Manifests of checkpoints cover
    the files of those they need, so a checkpoint one of whose adapters is damaged does not verify, and the run falls
    back on the one before, which finds all of its own. Of the adapters of earlier sessions none goes until as
    many new checkpoints are taken.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, tuple[FileRecord, ...]] = {}
        self._ours: set[str] = set()
        self._captured: deque[frozenset[str]] = deque(maxlen=CHECKPOINTS)

    def serve(self, checkpoints: int) -> None:
        """Say how many checkpoints are kept that a run may fall back on: adapters of one in writing stay as well."""
        self._captured = deque(self._captured, maxlen=max(CHECKPOINTS, checkpoints + 2))

    def path(self, name: str) -> Path:
        """Return where an adapter lies."""
        return self.root / name

    def save(self, iteration: int, write: Callable[[Path], object]) -> str:
        """Have ``write`` fill a folder, which appears whole or not at all; return the adapter's name.

        ``write`` is to make it so.
        """
        name = f"{FOLDER}/{iteration:06d}"
        (self.root / FOLDER).mkdir(parents=True, exist_ok=True)
        write(self.root / name)
        self._known[name] = self._records(name)
        self._ours.add(name)
        return name

    def numbers(self) -> list[int]:
        """Return the iterations of the adapters on disk, in order."""
        folder = self.root / FOLDER
        names = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
        return sorted(int(name) for name in names if name.isdigit())

    def remove_from(self, iteration: int) -> list[str]:
        """Remove the adapters of this iteration and later ones, and what a killed process left half-written.

        Returns their names: whoever has loaded one of them has one of a future that was lost.
        """
        gone = [f"{FOLDER}/{number:06d}" for number in self.numbers() if number >= iteration]
        for name in gone:
            retire(self.path(name))
            self._known.pop(name, None)
        if (self.root / FOLDER).is_dir():
            sweep(self.root / FOLDER)
        return gone

    def prune(self, needed: Iterable[str]) -> list[str]:
        """Remove adapters that nobody needs any more; return their names."""
        keep = set(needed).union(*self._captured)
        settled = len(self._captured) == self._captured.maxlen
        names = [f"{FOLDER}/{number:06d}" for number in self.numbers()]
        gone = [name for name in names if name not in keep and (settled or name in self._ours)]
        for name in gone:
            retire(self.path(name))
            self._known.pop(name, None)
        return gone

    def capture(self, needed: Iterable[str]) -> dict[str, dict[str, str]]:
        """Return the checksums of the adapters that a checkpoint counts on; they stay as long as it does."""
        names = frozenset(needed)
        self._captured.append(names)
        for name in names - self._known.keys():
            self._known[name] = self._records(name)
        return {name: self._sums(name) for name in sorted(names)}

    def counted_on(self) -> list[FileRecord]:
        """Return the files of the adapters of the last ``capture``, for the manifest of its checkpoint."""
        names = sorted(self._captured[-1]) if self._captured else []
        return [record for name in names for record in self._known[name]]

    def check(self, captured: Mapping[str, Mapping[str, str]]) -> None:
        """Compare what lies there with what a checkpoint counts on.

        Raises:
            IntegrityError: an adapter is gone, or is another one.
        """
        self._known = {name: self._records(name) for name in captured}
        bad = [name for name, sums in captured.items() if self._sums(name) != dict(sums)]
        if bad:
            raise IntegrityError(
                f"Games and samplers of this checkpoint need adapters that are gone from {self.root}, or are "
                f"not as they were: {', '.join(bad)}.",
                bad,
            )
        self._captured.clear()

    def _sums(self, name: str) -> dict[str, str]:
        return {record.name.removeprefix(f"{name}/"): record.sha256 for record in self._known[name]}

    def _records(self, name: str) -> tuple[FileRecord, ...]:
        folder = self.path(name)
        files = regular_files(folder) if folder.is_dir() else []
        return tuple(
            FileRecord(f"{name}/{file}", path.stat().st_size, sha256_file(path)) for file, path in files
        )
