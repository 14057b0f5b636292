"""The run in an output: which of the files that a kernel left are the run folder, and how far the run is in them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from kit.errors import RemoteError, UsageError
from kit.harness.archive import never_archived
from kit.harness.run_folder import OWN
from kit.harness.verify import ARCHIVE, CHECKPOINTS

SUM = f"{ARCHIVE}.sha256"
_COMMITTED = re.compile(rf"{CHECKPOINTS}/step-([0-9]{{9,}})/manifest\.json")
_MARKS = ("run.json", "summary.json", ARCHIVE)


class NothingLeftError(RemoteError):
    """A kernel left no run, or one without a checkpoint: there is nothing to bring home, nor to continue."""


@dataclass(frozen=True)
class OutputRun:
    """``root`` is the run folder's name in the output, ``names`` those of its files below that."""

    root: str
    names: tuple[str, ...]

    def name(self, name: str) -> str:
        """Return the name that a file of the run has in the output."""
        return f"{self.root}/{name}" if self.root else name

    @property
    def archived(self) -> bool:
        """Whether an archive is there."""
        return ARCHIVE in self.names

    @property
    def step(self) -> int:
        """The step of the newest checkpoint that was committed outside of an archive, -1 where there is none."""
        return max(
            (int(found[1]) for name in self.names if (found := _COMMITTED.fullmatch(name))), default=-1
        )

    def loose(self) -> list[str]:
        """Return the files of the run beside its archive."""
        return [name for name in self.names if name.partition("/")[0] in OWN and not never_archived(name)]


def runs_in(names: Iterable[str]) -> list[OutputRun]:
    """Return the run folders among the files of an output, by name; quick tests and what was moved aside left out."""
    names = list(names)
    roots = {name.rpartition("/")[0] for name in names if name.rpartition("/")[2] in _MARKS}
    # A run folder inside a run folder is a file of that run.
    tops = sorted(root for root in roots if not any(root.startswith(f"{other}/") for other in roots - {root}))
    found = []
    for root in tops:
        base = root.rpartition("/")[2]
        if not base.endswith("-quick") and not re.search(r"\.old-[0-9]+$", base):
            start = len(root) + 1 if root else 0
            inside = (name for name in names if not root or name.startswith(f"{root}/"))
            found.append(OutputRun(root, tuple(name[start:] for name in inside)))
    return found


def run_in(names: Iterable[str], notebook: str, what: str) -> OutputRun:
    """Return the run of ``notebook`` (empty: the only one) among the files of an output.

    Raises:
        NothingLeftError: there is none.
        UsageError: there are several, and none of that name.
    """
    found = runs_in(names)
    named = [run for run in found if run.root.rpartition("/")[2] == notebook]
    if named or len(found) == 1:
        return (named or found)[0]
    if not found:
        raise NothingLeftError(
            f"{what} left no run: no run folder is in its output. `logs` shows what it said."
        )
    roots = ", ".join(run.root for run in found)
    raise UsageError(f"{what} left several runs: {roots}. Name the notebook of the one you mean.")
