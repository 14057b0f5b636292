"""Where everything of a run lies: the one place that knows the names of its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run. ``root`` is the run folder itself; nothing is created by asking for a path.

    What a user reads lies directly in ``root``; what only the processes of a running session say to each
    other lies in ``.kit/`` and is neither archived nor needed to continue the run elsewhere.
    """

    root: Path

    @property
    def run_json(self) -> Path:
        """What runs: notebook, parameters, config hash, versions, machine, limits."""
        return self.root / "run.json"

    @property
    def checkpoints(self) -> Path:
        """Layer 1: what the run resumes from."""
        return self.root / "checkpoints"

    @property
    def best(self) -> Path:
        """The best model by evaluation, never rotated."""
        return self.root / "best"

    @property
    def metrics(self) -> Path:
        """Append-only and deterministic: one row for a step."""
        return self.root / "metrics.csv"

    @property
    def timing_rows(self) -> Path:
        """When which step was reached: step, time_s, session."""
        return self.root / "timing.csv"

    @property
    def timing(self) -> Path:
        """Phases with their counts and times."""
        return self.root / "timing.json"

    @property
    def sessions(self) -> Path:
        """One entry for every session that worked on the run."""
        return self.root / "sessions.json"

    @property
    def results(self) -> Path:
        """What the workload found out at its end: evaluation against baselines."""
        return self.root / "results.json"

    @property
    def summary(self) -> Path:
        """How the run stands: status, reason, step, forecast."""
        return self.root / "summary.json"

    @property
    def figures(self) -> Path:
        """Pictures, redrawn at every export."""
        return self.root / "figures"

    @property
    def log(self) -> Path:
        """The run's log after throttling."""
        return self.root / "logs" / "run.log"

    @property
    def notebook_log(self) -> Path:
        """What the notebook runner and the kernel printed outside of cells."""
        return self.root / "logs" / "notebook.log"

    @property
    def executed(self) -> Path:
        """The notebook as it was executed."""
        return self.root / "executed.ipynb"

    @property
    def report(self) -> Path:
        """The self-contained page."""
        return self.root / "report.html"

    @property
    def archive(self) -> Path:
        """Layer 3: everything above in one file."""
        return self.root / "artifacts.zip"

    @property
    def control(self) -> Path:
        """What processes of a running session share; not archived."""
        return self.root / ".kit"

    @property
    def lock(self) -> Path:
        """Held by the session that has the run open."""
        return self.control / "lock"

    @property
    def finalising(self) -> Path:
        """Held by whoever writes layer 3."""
        return self.control / "finalising"

    @property
    def watching(self) -> Path:
        """Held by the watchdog for as long as it lives."""
        return self.control / "watching"

    @property
    def stop_request(self) -> Path:
        """Its existence asks the session to stop at the next safe boundary; its text says why."""
        return self.control / "stop"

    @property
    def heartbeat(self) -> Path:
        """Step, phase and time, shared in memory."""
        return self.control / "heartbeat"

    def create(self) -> None:
        """Make the folders that a session writes into. Raises StorageError where that is not possible."""
        from kit.errors import StorageError

        for folder in (self.root, self.checkpoints, self.figures, self.log.parent, self.control):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StorageError(
                    f"The run folder cannot be written: {folder}: {error.strerror}."
                ) from error


def move_aside(folder: RunFolder) -> Path:
    """Rename the run folder to the next free ``<name>.old-N`` and return that path; nothing is deleted."""
    number = 1
    while (aside := folder.root.with_name(f"{folder.root.name}.old-{number}")).exists():
        number += 1
    folder.root.rename(aside)
    return aside
