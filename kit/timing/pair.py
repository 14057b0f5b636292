"""A pair: what was predicted of a finished run, and what it took; as a whole, by phase, and while it was under way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

SHORTEST_S, LONGEST_S = 1e-3, 1e9
"""What counts as a time: a millisecond to thirty years. Beyond them a file holds something else."""
TIMES = ("predicted_s", "actual_s", "predicted_cpu_s", "actual_cpu_s")
NO_PAIR = (ValueError, TypeError, LookupError, OverflowError, RecursionError, AttributeError)
"""What reading a pair from a file raises where there is none in it."""


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
        others = [seconds for both in self.phases.values() for seconds in both]
        others += [one for one in (self.predicted_cpu_s, self.actual_cpu_s) if one is not None]
        if any(not 0 <= seconds <= LONGEST_S for seconds in others) or self.timesteps < 0:
            raise ValueError(
                f"times must be zero to {LONGEST_S:g} s, and steps zero or more: {others!r}, {self.timesteps!r}"
            )

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
            NO_PAIR: it is none.
        """
        if not isinstance(data, dict):
            raise TypeError(f"an object is needed, not {type(data).__name__}")
        known = {one.name: data[one.name] for one in fields(cls) if one.name in data}
        phases = {
            str(name): (float(predicted), float(actual))
            for name, (predicted, actual) in dict(known.get("phases", {})).items()
        }
        names = [one.name for one in fields(Ahead)]
        ahead = tuple(Ahead(*(float(one[name]) for name in names)) for one in known.get("ahead", ()))
        times = {name: float(known[name]) for name in TIMES if known.get(name) is not None}
        return cls(**(known | times | {"phases": phases, "ahead": ahead}))


def _refuse_no_time(*seconds: float) -> None:
    if not all(SHORTEST_S <= one <= LONGEST_S for one in seconds):
        raise ValueError(f"times must be {SHORTEST_S:g} to {LONGEST_S:g} s: {', '.join(map(repr, seconds))}")
