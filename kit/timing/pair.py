"""A pair: what was predicted of a finished run, and what it took; as a whole, by phase, and while it was under way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Ahead:
    """A forecast made under way, once ``share`` of the steps were done: seconds still to come, foretold and real."""

    share: float
    predicted_s: float
    actual_s: float

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"a share must lie between 0 and 1, not {self.share!r}")
        _refuse_no_time(self.predicted_s, self.actual_s)


@dataclass(frozen=True)
class Pair:
    """One finished run: seconds predicted beforehand and taken, on a kind of machine.

    ``phases`` are (predicted, actual) seconds by phase, ``ahead`` the forecasts made under way. CPU seconds are those
    of the training process, all its threads; None where they were not measured.
    """

    notebook: str
    machine: str
    predicted_s: float
    actual_s: float
    date: str
    timesteps: int = 0
    predicted_cpu_s: float | None = None
    actual_cpu_s: float | None = None
    phases: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    ahead: tuple[Ahead, ...] = ()

    def __post_init__(self) -> None:
        for name in ("notebook", "machine", "date"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be text, not {getattr(self, name)!r}")
        _refuse_no_time(self.predicted_s, self.actual_s)
        if any(not 0 <= seconds < math.inf for both in self.phases.values() for seconds in both):
            raise ValueError(f"times of phases must be zero or more, and finite: {dict(self.phases)!r}")

    @property
    def identity(self) -> tuple[object, ...]:
        """What tells two runs apart, so that one read twice counts once."""
        return self.notebook, self.machine, self.date, self.predicted_s, self.actual_s

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> Pair:
        """Read what ``as_json`` wrote; keys of a later version are left out.

        Raises:
            ValueError, TypeError: it is no pair.
        """
        if not isinstance(data, dict):
            raise TypeError(f"an object is needed, not {type(data).__name__}")
        known = {name: data[name] for name in (one.name for one in fields(cls)) if name in data}
        phases = {
            str(name): (float(predicted), float(actual))
            for name, (predicted, actual) in dict(known.get("phases", {})).items()
        }
        ahead = tuple(Ahead(**one) for one in known.get("ahead", ()))
        return cls(**(known | {"phases": phases, "ahead": ahead}))


def _refuse_no_time(*seconds: float) -> None:
    if not all(0 < one < math.inf for one in seconds):
        raise ValueError(f"times must be more than zero, and finite: {', '.join(map(repr, seconds))}")
