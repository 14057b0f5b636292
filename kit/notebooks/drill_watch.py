"""Watching a launched run by its heartbeat, until the moment at which it is to be killed."""

from __future__ import annotations

import bisect
import contextlib
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psutil

from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.harness.heartbeat import Beat, read_beat
from kit.harness.run_folder import RunFolder
from kit.notebooks.drill_kill import MACHINE, ProcessTree, kill_all, training_process
from kit.notebooks.drill_plan import CHECKPOINT, EVALUATE, EXPORT, FINALISE, TRAINING, PlannedKill, kind_of
from kit.notebooks.launch_main import Process

POLL_S = 0.0003
"""Between two looks at the heartbeat: an export takes a few milliseconds."""
REACH_S = {TRAINING: 0.25, CHECKPOINT: 0.02, EVALUATE: 0.2, EXPORT: 0.008, FINALISE: 2.0}
"""How long after the beginning of its phase a kill comes at most; half of it, where the phase was over by then."""
MEASURED = {EVALUATE: 1.0, FINALISE: 0.6}
"""Which share of what it took undisturbed: what is left of the finalisation after a late kill may just be the exit."""
LONGEST_REACH_S = 5.0


def reaches_of(phases: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return REACH_S with what the phases of the undisturbed run (rows of timing.json) took instead of guesses."""
    took = {row["name"]: MEASURED[row["name"]] * row["mean_s"] for row in phases if row["name"] in MEASURED}
    return REACH_S | {kind: min(max(seconds, 0.005), LONGEST_REACH_S) for kind, seconds in took.items()}


@dataclass
class Trail:
    """When one session reached which step, as its heartbeat told. Times are absolute monotonic seconds."""

    steps: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    longest_write_s: float = 0.0
    _write_began_s: float | None = None

    def add(self, now_s: float, beat: Beat) -> None:
        """Note a reading, if it is of a run under way."""
        if not beat.under_way:
            return
        if not self.steps or beat.step > self.steps[-1]:
            self.steps.append(beat.step)
            self.times.append(now_s)
        self._note_write(now_s, on=beat.writing)

    def _note_write(self, now_s: float, *, on: bool) -> None:
        if not on:
            self._write_began_s = None
            return
        if self._write_began_s is None:
            self._write_began_s = now_s
        self.longest_write_s = max(self.longest_write_s, now_s - self._write_began_s)

    def reached_s(self, step: int) -> float:
        """Return when the run was at ``step``; for one of an earlier session, when this one got under way."""
        return self.times[min(bisect.bisect_left(self.steps, step), len(self.times) - 1)]

    def longest_gap_s(self, until_s: float) -> float:
        """Return the longest time between two boundaries, up to ``until_s``."""
        return max(
            later - earlier for earlier, later in zip(self.times, [*self.times[1:], until_s], strict=True)
        )


@dataclass(frozen=True)
class Death:
    """How a run stood when it was killed, and how it had come there."""

    beat: Beat
    at_s: float
    trail: Trail


class Stalker:
    """Follows one launch of a run and kills it at the planned moment."""

    def __init__(
        self, process: Process, folder: RunFolder, reaches: Mapping[str, float], clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._process, self._folder, self._reaches, self._clock = process, folder, reaches, clock
        self._tree = ProcessTree(process.pid)
        self._launched_s = clock.monotonic()
        self._trail = Trail()
        self._training: psutil.Process | None = None

    def kill(self, planned: PlannedKill) -> Death | None:
        """Wait for the moment and kill; None where the run ended before it came."""
        delay_s, due_s = planned.share * self._reaches[planned.kind], None
        while self._process.poll() is None:
            now_s, beat = self._clock.monotonic(), self._beat()
            if beat is not None:
                self._trail.add(now_s, beat)
                if due_s is None and beat.step >= planned.step and kind_of(beat) == planned.kind:
                    due_s = now_s + delay_s
            if due_s is not None and now_s >= due_s:
                death = self._strike(planned)
                if death is not None:
                    return death
                due_s, delay_s = None, delay_s / 2
            threading.Event().wait(POLL_S)
        return None

    def _beat(self) -> Beat | None:
        """Return the heartbeat of this launch, not the one that the session before left."""
        beat = read_beat(self._folder.heartbeat)
        if beat is None or beat.beat_s < self._launched_s:
            return None
        if self._training is None and beat.under_way:
            self._training = training_process(self._folder.lock, self._tree)
        return beat

    def _strike(self, planned: PlannedKill) -> Death | None:
        """Stop the training process first: what its heartbeat says then stays true. Kill if it is what was wanted."""
        frozen = self._suspended()
        others = self._tree.freeze() if planned.victim == MACHINE or not frozen else []
        beat, now_s = self._beat(), self._clock.monotonic()
        if beat is None or beat.step < planned.step or kind_of(beat) != planned.kind:
            for process in [*frozen, *others]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()
            return None
        self._trail.add(now_s, beat)
        if others:
            kill_all([*others, *frozen])
        else:
            self._kill_training(frozen)
        self._process.communicate()
        return Death(beat, now_s, self._trail)

    def _suspended(self) -> list[psutil.Process]:
        if self._training is None:
            return []
        try:
            self._training.suspend()
        except psutil.NoSuchProcess:
            return []
        return [self._training]

    def _kill_training(self, frozen: list[psutil.Process]) -> None:
        """The watchdog finalises, the command concludes; then nobody is left."""
        everyone = self._tree.members()
        kill_all(frozen)
        self._process.wait()
        kill_all(everyone)
