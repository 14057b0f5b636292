"""The drill: kills a run again and again, resumes it, and compares its end with that of a run that nobody touched."""

from __future__ import annotations

import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from kit.errors import KitError, NotebookError, UsageError
from kit.harness.checkpoints import CheckpointStore
from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.harness.lock import FileLock
from kit.harness.run_folder import RunFolder
from kit.harness.summary import COMPLETE, read_json, write_json
from kit.harness.verify import verify
from kit.notebooks.drill_compare import differences
from kit.notebooks.drill_kill import ProcessTree
from kit.notebooks.drill_plan import EVALUATE, KINDS, STARTING, PlannedKill, plan_kills
from kit.notebooks.drill_rows import torn_rows
from kit.notebooks.drill_watch import Death, Stalker, reaches_of
from kit.notebooks.launch_main import Process, start_launch, summary_of
from kit.opening import folder_of
from kit.pace import LOOK_EVERY_S

UNDISTURBED, KILLED = "undisturbed", "killed-"
OWN = ("drill.json", "drill.log")
INTERVAL_S = 1.0
CADENCE = {
    "checkpoint_every_steps": None,
    "checkpoint_min_s": INTERVAL_S,
    "checkpoint_max_s": INTERVAL_S,
    "export_every_steps": 50,
    "export_min_s": 2.0,
}
"""What the killed runs are told: each session must get ahead. It decides no result, and the comparison shows it."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class DrillOrder:
    """What to drill: a notebook with the values of its parameters, how many kills, and the seed of their plan.

    ``out`` is the drill's own folder, by default ``runs/<notebook>-drill``. An undisturbed run that is complete
    there is compared with again, unless it is to be ``fresh``.
    """

    notebook: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    out: str = ""
    kills: int = 5
    seed: int = 0
    fresh: bool = False


@dataclass(frozen=True)
class Kill:
    """One kill, as it was. ``within_promise``: it cost no more than an interval and the snapshot being written.

    ``lost_s`` is from the checkpoint that the run resumes from to the kill; after training there is no checkpoint
    to be taken, so ``within_promise`` is None there. ``bad`` is what then did not verify in the folder.
    """

    number: int
    round: int
    phase: str
    kind: str
    victim: str
    step: int
    resumed_from: int
    steps_repeated: int
    lost_s: float
    within_promise: bool | None
    torn_rows: int
    bad: tuple[str, ...]


class Drill:
    """One drill: the undisturbed run, then rounds of a run that is killed until all kills are done."""

    def __init__(self, order: DrillOrder, tell: Tell = lambda _: None, clock: Clock = SYSTEM_CLOCK) -> None:
        if order.kills < 1:
            raise UsageError(f"--kills must be a whole number of at least 1, not {order.kills}.")
        self._order, self._tell, self._clock = order, tell, clock
        self.root = folder_of(f"{order.notebook.stem}-drill", order.out, quick_test=False).root
        self.undisturbed = RunFolder(self.root / UNDISTURBED)
        self.kills: list[Kill] = []
        self.rounds: list[RunFolder] = []
        self._reaches: Mapping[str, float] = {}
        self._exact = True

    def run(self) -> dict[str, Any]:
        """Do it all and return the result, which is then in ``drill.json`` too.

        Raises:
            UsageError: the folder holds something else (the undisturbed run of other settings, too), or a value
            cannot be used.
            RunLockedError: a run of an earlier drill is still going on there.
            NotebookError: the notebook has no session, or fails without anybody's help.
            KitError: the drill was interrupted; no process of it is left.
        """
        self._make_ready()
        with _interruptible():
            summary = self._run_undisturbed()
            plan = plan_kills(
                self._order.kills, self._order.seed, int(summary["total_timesteps"]), self._kinds_there()
            )
            self._reaches = reaches_of(self._phases())
            self._kill_by(plan)
        found = self._result(summary)
        write_json(self.root / "drill.json", found)
        return found

    def _make_ready(self) -> None:
        """Take a folder that is new, empty or a drill's; clear what an earlier drill left of its killed runs."""
        ours = list(self.root.iterdir()) if self.root.is_dir() else []
        legal = (UNDISTURBED, *OWN)
        foreign = sorted(p.name for p in ours if p.name not in legal and not p.name.startswith(KILLED))
        if foreign or (self.root.exists() and not self.root.is_dir()):
            raise UsageError(
                f"{self.root} is not the folder of a drill: it holds {', '.join(foreign[:5]) or 'a file'}. "
                "Nothing was changed. Give --out a folder that is new, empty, or a drill's."
            )
        self.root.mkdir(parents=True, exist_ok=True)
        for path in ours:
            if path.name.startswith(KILLED):
                RunFolder(path).refuse_foreign()
                _refuse_running(RunFolder(path))
                shutil.rmtree(path)
        (self.root / "drill.log").unlink(missing_ok=True)

    def _launch(self, folder: RunFolder, handed: Mapping[str, Any]) -> Process:
        order = self._order
        return start_launch(order.notebook, order.values, folder.root, self.root / "drill.log", handed)

    def _run_undisturbed(self) -> dict[str, Any]:
        """Return the summary of the run that nobody touches: one that is there already, or a new one."""
        folder = self.undisturbed
        before = read_json(folder.summary)
        there = before.get("status") == COMPLETE and before.get("sessions") == 1 and not self._order.fresh
        if folder.holds_a_run() and not there:
            _refuse_running(folder)
            folder.remove_run()
        self._tell("The undisturbed run is there already." if there else "The undisturbed run …")
        summary = self._through(folder, {})
        if summary["status"] != COMPLETE:
            raise NotebookError(
                f"The undisturbed run did not complete: {summary['reason']}. There is nothing to compare with; "
                f"see {folder.log}."
            )
        self._exact = bool(summary["exact"])
        if not self._exact:
            self._tell(
                f"Resume is not exact: {summary.get('inexact_reason')}. A difference is to be expected."
            )
        if not there:
            self._tell(f"The undisturbed run is complete in {summary['elapsed_s']:.1f} s.")
        return summary

    def _through(self, folder: RunFolder, handed: Mapping[str, Any]) -> dict[str, Any]:
        """Launch the run, let it come to its end, and return its summary."""
        process = self._launch(folder, handed)
        with _ends_with(process):
            return summary_of(process)

    def _phases(self) -> list[dict[str, Any]]:
        return list(read_json(self.undisturbed.timing).get("phases", []))

    def _kinds_there(self) -> set[str]:
        """Return the kinds of phases that the run has: all, evaluation only where it does more than train."""
        names = {row["name"] for row in self._phases()}
        plain = {*STARTING, *KINDS, "collect", "rollout", "update"} - {EVALUATE}
        return set(KINDS) if names - plain else set(KINDS) - {EVALUATE}

    def _kill_by(self, plan: list[PlannedKill]) -> None:
        """Launch and kill until the plan is done; a run that completes before is followed by one in a new folder."""
        fruitless = 0
        while len(self.kills) < len(plan) and fruitless < 2:
            folder = RunFolder(self.root / f"{KILLED}{len(self.rounds) + 1}")
            self.rounds.append(folder)
            done = len(self.kills)
            while self._killed(folder, plan[len(self.kills)]) and len(self.kills) < len(plan):
                pass
            fruitless = 0 if len(self.kills) > done else fruitless + 1
        self._complete(self.rounds[-1])

    def _killed(self, folder: RunFolder, planned: PlannedKill) -> bool:
        """Launch the run and kill it as planned; false where it completed before that."""
        process = self._launch(folder, {"cadence": CADENCE})
        with _ends_with(process):
            death = Stalker(process, folder, self._reaches, self._clock).kill(planned)
            if death is not None:
                self._record(folder, planned, death)
                return True
            self._require_complete(summary_of(process), folder)
            return False

    def _complete(self, folder: RunFolder) -> None:
        """Let the run come to its end."""
        self._require_complete(self._through(folder, {"cadence": CADENCE}), folder)

    def _require_complete(self, summary: Mapping[str, Any], folder: RunFolder) -> None:
        if summary["status"] != COMPLETE:
            raise NotebookError(f"The run in {folder.root} ended by itself: {summary['reason']}.")

    def _record(self, folder: RunFolder, planned: PlannedKill, death: Death) -> None:
        config_hash = str(read_json(folder.run_json).get("config_hash", ""))
        newest = CheckpointStore(folder.checkpoints, config_hash).newest()
        resumed = newest.step if newest is not None else 0
        lost_s = death.at_s - death.trail.reached_s(resumed)
        allowed_s = INTERVAL_S + LOOK_EVERY_S + death.trail.longest_write_s
        allowed_s += death.trail.longest_gap_s(death.at_s)
        training = death.beat.step < death.beat.total_steps
        self.kills.append(
            Kill(
                number=len(self.kills) + 1,
                round=len(self.rounds),
                phase=death.beat.phase,
                kind=planned.kind,
                victim=planned.victim,
                step=death.beat.step,
                resumed_from=resumed,
                steps_repeated=max(0, death.beat.step - resumed),
                lost_s=round(max(0.0, lost_s), 3),
                within_promise=lost_s <= allowed_s if training else None,
                torn_rows=torn_rows(folder, self.undisturbed if self._exact else None),
                bad=tuple(f"{name}: {why}" for name, why in verify(folder.root).reasons.items()),
            )
        )
        kill = self.kills[-1]
        self._tell(
            f"Kill {kill.number} of {self._order.kills}: {kill.kind} at step {kill.step:,} ({kill.victim}), "
            f"to be resumed from {resumed:,}."
        )

    def _result(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        kills = self.kills
        differs = [
            f"{KILLED}{kill.round} after kill {kill.number}: {bad}" for kill in kills for bad in kill.bad
        ]
        differs += [
            f"{folder.root.name}/{difference}"
            for folder in self.rounds
            for difference in differences(folder, self.undisturbed)
        ]
        during = [kill for kill in kills if kill.within_promise is not None]
        return {
            "kills": len(kills),
            "killed_in": dict(Counter(kill.kind for kill in kills)),
            "identical": not differs,
            "steps_repeated_max": max((kill.steps_repeated for kill in kills), default=0),
            "torn_rows": sum(kill.torn_rows for kill in kills),
            "time_lost_s": round(sum(kill.lost_s for kill in kills), 3),
            "time_lost_max_s": max((kill.lost_s for kill in during), default=0.0),
            "within_promise": all(kill.within_promise for kill in during),
            "asked_kills": self._order.kills,
            "seed": self._order.seed,
            "exact": summary["exact"],
            "inexact_reason": summary.get("inexact_reason"),
            "differs": differs,
            "rounds": len(self.rounds),
            "cadence": CADENCE,
            "each": [asdict(kill) for kill in kills],
            "run_dir": str(self.root),
        }


def _refuse_running(folder: RunFolder) -> None:
    """Raise RunLockedError where a launch or a session still works in the folder, of a drill that was killed, say."""
    if folder.control.is_dir():
        with FileLock(folder.launching).acquire(), FileLock(folder.lock).acquire():
            return


def passed(found: Mapping[str, Any]) -> bool:
    """Whether a drill shows what it was to show: every kill came, no row was torn, and the end is the same."""
    return bool(found["identical"] and not found["torn_rows"] and found["kills"] == found["asked_kills"])


@contextmanager
def _ends_with(process: Process) -> Iterator[None]:
    """Whatever ends the block, the launched command and all that it started end with it."""
    try:
        yield
    finally:
        if process.poll() is None:
            ProcessTree(process.pid).kill()
            process.communicate()


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGINT and SIGTERM end the drill as an error, after every process of it has been ended."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        raise KitError(
            f"The drill was interrupted by {signal.Signals(number).name}; nothing of it runs any more."
        )

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
