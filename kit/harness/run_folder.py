"""Where everything of a run lies: the one place that knows the names of its files."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from kit.errors import StorageError, UsageError
from kit.harness.atomic import is_temporary
from kit.harness.platform import DRIVE

BEFORE_A_RUN = frozenset(
    {".kit", "checkpoints", "figures", "logs", "model", "executed.ipynb", "executed.partial.ipynb"}
)
"""What may lie in a folder whose session ended before run.json was written."""
OWN = (
    *("checkpoints", "adapters", "model", "best", "figures", "logs", "tensorboard"),
    *("metrics.csv", "timing.csv", "timing.json", "sessions.json", "results.json", "report.html"),
    *("executed.ipynb", "executed.partial.ipynb", "artifacts.zip", "artifacts.zip.sha256", "summary.json"),
    "run.json",
)
"""The names of a run's files, in the order in which they may be deleted."""
LOCAL_CONTROL = Path("/content/.training-kit")
"""Where the control folders of runs on a mounted Drive lie."""


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
    def adapters(self) -> Path:
        """Policies that a checkpoint counts on, by learner update, where the workload learns adapters."""
        return self.root / "adapters"

    @property
    def model(self) -> Path:
        """The model that the run made for itself and learns on, where it made one."""
        return self.root / "model"

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
    def partial(self) -> Path:
        """The executed notebook while it runs."""
        return self.root / "executed.partial.ipynb"

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
        """What processes of a running session share; not archived.

        Of a run on a mounted Drive it lies on the machine: locks and shared memory are nothing to be synced.
        """
        if self.root.is_relative_to(DRIVE):
            return LOCAL_CONTROL / hashlib.sha256(str(self.root).encode()).hexdigest()[:12]
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
    def drawing(self) -> Path:
        """Held by the drawing process while it draws, and by whoever packages what a dead run left."""
        return self.control / "drawing"

    @property
    def watching(self) -> Path:
        """Held by the watchdog for as long as it lives."""
        return self.control / "watching"

    @property
    def stop_request(self) -> Path:
        """Its existence asks the session to stop at the next safe boundary; its text says why."""
        return self.control / "stop"

    @property
    def prune_request(self) -> Path:
        """Its existence asks the session to make room on the disk at the next safe boundary."""
        return self.control / "prune"

    @property
    def peaks(self) -> Path:
        """The most memory, GPU memory and disk that was in use, by the watchdog."""
        return self.control / "peaks.json"

    @property
    def raw_stacks(self) -> Path:
        """Where the training process writes its stacks when the watchdog asks for them."""
        return self.control / "stacks"

    @property
    def stacks(self) -> Path:
        """Every thread's stack at each hang."""
        return self.root / "logs" / "stacks.txt"

    @property
    def heartbeat(self) -> Path:
        """Step, phase and time, shared in memory."""
        return self.control / "heartbeat"

    @property
    def environment(self) -> Path:
        """How the training environment's state is captured, for the sessions after the first."""
        return self.control / "environment.json"

    @property
    def live_checks(self) -> Path:
        """What the checks of a quick test saw beside its living model."""
        return self.control / "preflight.json"

    @property
    def launching(self) -> Path:
        """Held by the command that runs the notebook, from preparing the folder to concluding the run."""
        return self.control / "launching"

    def holds_a_run(self) -> bool:
        """Whether run.json is one of ours: a foreign file of that name does not make a run folder."""
        try:
            facts = json.loads(self.run_json.read_text())
        except (OSError, ValueError):
            return False
        return isinstance(facts, dict) and "config_hash" in facts

    def refuse_foreign(self) -> None:
        """Raise UsageError where the folder holds somebody's files and no run: a run would overwrite them.

        What a session leaves that ended before it wrote run.json is no such file.
        """
        if self.holds_a_run() or not self.root.is_dir():
            return
        there = (path.name for path in self.root.iterdir())
        foreign = sorted(name for name in there if name not in BEFORE_A_RUN and not is_temporary(name))
        if foreign:
            shown = ", ".join(foreign[:5]) + (" …" if len(foreign) > 5 else "")
            raise UsageError(
                f"{self.root} is not a run folder, and not empty: it holds {shown}. "
                "Nothing was changed. Give --out a folder that is new, empty, or a run's."
            )

    def remove_run(self) -> None:
        """Delete the files of the run, and nothing else, run.json last: until then the folder is known as a run's.

        Locks stay, since they are held; what was found out about the run goes, since it may not hold for the next.
        """
        self._forget()
        for name in OWN:
            path = self.root / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _forget(self) -> None:
        """Delete what was found out about the run that is there."""
        for path in (self.environment, self.peaks, self.live_checks):
            path.unlink(missing_ok=True)

    def create(self) -> None:
        """Make the folders that a session writes into. Raises StorageError where that is not possible."""
        for folder in (self.root, self.checkpoints, self.figures, self.log.parent, self.control):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StorageError(
                    f"The run folder cannot be written: {folder}: {error.strerror}."
                ) from error


def move_aside(folder: RunFolder) -> Path:
    """Rename the run folder to the next free ``<name>.old-N`` and return that path; nothing is deleted."""
    aside = set_aside(folder.root, folder.root)
    folder._forget()  # of a control folder elsewhere, which did not go along
    return aside


def set_aside(path: Path, root: Path) -> Path:
    """Rename ``path`` to the next free ``<name>.old-N`` of the run folder ``root``, and return that."""
    number = 1
    while (aside := root.with_name(f"{root.name}.old-{number}")).exists():
        number += 1
    path.rename(aside)
    return aside
