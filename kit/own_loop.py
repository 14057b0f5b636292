"""A training loop of one's own under a session: registered objects, numbered steps, rows of metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kit.errors import UsageError
from kit.own_preflight import LoopInspection, Stateful
from kit.randomness import capture_generators, restore_generators

if TYPE_CHECKING:
    from kit.session import TrainingSession


QUICK_S = 60.0
"""How long a quick test of a loop takes at most, seconds: its steps are alike, and it has no schedule to go through."""

__all__ = ["OwnLoop", "Stateful"]


class OwnLoop:
    """What ``session.register``, ``session.steps`` and ``session.record`` do."""

    def __init__(self, session: TrainingSession) -> None:
        self._session = session
        self._registered: dict[str, Stateful] = {}
        self._row: dict[str, Any] = {}
        self._begun = False

    def register(self, objects: dict[str, Stateful]) -> None:
        """Name what a checkpoint holds."""
        for name, item in objects.items():
            if not (hasattr(item, "state_dict") and hasattr(item, "load_state_dict")):
                raise UsageError(f"{name!r} cannot be registered: it has no state_dict and load_state_dict.")
        self._registered.update(objects)

    def record(self, metrics: dict[str, Any]) -> None:
        """Note metrics of the step that ``steps`` is at."""
        self._row.update(metrics)

    def steps(self) -> Iterator[int]:
        """Yield the number of each step still to do; see TrainingSession.steps."""
        session = self._session
        state = session.restore()
        if state is not None:
            self._restore(state)
        elif self._begun:
            session.inexact(
                "a loop that was left before its first checkpoint was begun again, its objects as they were"
            )
        self._begun, self._row = True, {}
        if session.trained:
            return
        inspection = LoopInspection.of(session, self._registered)
        session.planner.units("rollout", per_step=1.0)
        session.timer.switch("rollout")
        if state is None:  # what breaks in the first seconds has something to go on from, too
            session.keeper.checkpoint(session.step, self._capture)
        step, began_s = session.step, session.clock.monotonic()
        while step < session.total_timesteps:
            if not session.boundary(step, self._capture):
                return
            if session.quick_test and session.clock.monotonic() - began_s > QUICK_S:
                session.quick_steps(
                    min(step + 1, session.total_timesteps)
                )  # one more, which knows that it is the last
            session.log.step(step)
            yield step
            step += 1
            session.timer.add_count("rollout", 1)
            if self._row:
                session.record_row(step, self._row)
                self._row = {}
        session.training_done(step, self._capture)
        if inspection is not None:
            inspection.finish()

    def _capture(self) -> dict[str, Any]:
        objects = {name: item.state_dict() for name, item in self._registered.items()}
        return {"objects": objects, "generators": capture_generators()}

    def _restore(self, state: dict[str, Any]) -> None:
        names, there = set(self._registered), set(state["objects"])
        if names != there:
            raise UsageError(f"The checkpoint holds {sorted(there)}, registered are {sorted(names)}.")
        for name, item in self._registered.items():
            item.load_state_dict(state["objects"][name])
        restore_generators(state["generators"])
