"""What the checks see of a loop of one's own in a quick test: what it registered, before and after."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from kit.harness.checkpoints import CheckpointStore
from kit.preflight.check import Finding
from kit.preflight.learning import WEIGHTS, Learning
from kit.preflight.live_record import write_live
from kit.preflight.resume import RESUME, RoundTrip
from kit.randomness import capture_generators, restore_generators
from kit.tensors import decode, encode, snapshot

if TYPE_CHECKING:
    from kit.session import TrainingSession

logger = logging.getLogger(__name__)

PHASE = "preflight"
REFUSALS = (LookupError, TypeError, ValueError, AttributeError, RuntimeError)
"""What objects raise that cannot take a state."""


class Stateful(Protocol):
    """Anything that can tell its state and take it back: a torch module, an optimizer, an object of one's own."""

    def state_dict(self) -> Any:
        """Return a tree of arrays, tensors and plain values."""
        ...

    def load_state_dict(self, state: Any, /) -> Any:
        """Continue from what ``state_dict`` returned."""
        ...


class LoopInspection:
    """Remembers the registered objects as they begin; looks at the end whether they changed, and come back."""

    def __init__(self, session: TrainingSession, objects: Mapping[str, Stateful]) -> None:
        self._session, self._objects = session, objects
        self._before = self._states()
        session.planner.units(PHASE, fixed=0.0)

    @classmethod
    def of(cls, session: TrainingSession, objects: Mapping[str, Stateful]) -> LoopInspection | None:
        """Begin to look at a quick test; None for a full run, and where nothing was registered."""
        return cls(session, objects) if session.quick_test and objects else None

    def finish(self) -> None:
        """Look at what the loop did; objects and generators are afterwards as they were."""
        kept = capture_generators()
        try:
            with self._session.phase(PHASE):
                findings = [*self._weights(), RESUME.of(self._round_trip())]
        finally:
            restore_generators(kept)
        write_live(self._session.folder, findings)

    def _states(self) -> dict[str, Any]:
        return {name: snapshot(item.state_dict()) for name, item in self._objects.items()}

    def _weights(self) -> list[Finding]:
        before, after = dict(_numbers(self._before)), dict(_numbers(self._states()))
        known = {
            name: array for name, array in before.items() if name in after and _alike(array, after[name])
        }
        if not known:
            return []
        return [WEIGHTS.of(Learning(0, self._session.step, known, {name: after[name] for name in known}))]

    def _round_trip(self) -> RoundTrip:
        """Load the beginning into the objects, then the checkpoint on disk; each must be what comes out again."""
        session = self._session
        store = CheckpointStore(session.folder.checkpoints, session.record_of_run.config_hash)
        newest = store.newest()
        if newest is None:
            return RoundTrip(None, (), (), None, session.inexact_reason)
        saved = decode(store.load(newest), lambda log: store.frames(newest, log))["tree"]["objects"]
        differ = [
            name for name in self._objects if not self._comes_back(name, self._before[name], saved[name])
        ]
        return RoundTrip(newest.step, tuple(self._objects), tuple(differ), None, session.inexact_reason)

    def _comes_back(self, name: str, before: Any, saved: Any) -> bool:
        item, same = self._objects[name], True
        for state in (before, saved):
            try:
                item.load_state_dict(snapshot(state))
            except REFUSALS as error:
                logger.warning(
                    "%s does not take its own state back: %s: %s", name, type(error).__name__, error
                )
                same = False
            same = same and _bytes(item.state_dict()) == _bytes(state)
        return same


def _numbers(tree: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each array of floating-point numbers in a tree, tensors as arrays, with its place."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _numbers(value, f"{place}.{key}" if place else str(key))
    elif isinstance(tree, list | tuple):
        for number, value in enumerate(tree):
            yield from _numbers(value, f"{place}.{number}")
    else:
        array = tree.numpy() if hasattr(tree, "detach") and hasattr(tree, "numpy") else tree
        if getattr(getattr(array, "dtype", None), "kind", "") == "f" and getattr(array, "ndim", 0):
            yield place, array


def _alike(one: Any, other: Any) -> bool:
    return bool(one.shape == other.shape)


def _bytes(value: Any) -> list[bytes]:
    return [*encode({"": value}).values()]
