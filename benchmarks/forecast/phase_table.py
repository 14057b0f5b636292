"""Where errors come from: what each phase of each run took beyond its forecast, as a share of the whole forecast."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.forecast.outcome import Outcome

WORTH = 0.005
"""A phase that puts a run off by less is left out."""


def phase_lines(outcomes: Iterable[Outcome]) -> str:
    """Return a line a workload: its phases with the largest share in its error first, with what was told of drift."""
    return "".join(f"{one.name:<20} {_phases(one)}\n" for one in outcomes)


def _phases(one: Outcome) -> str:
    off = {
        name: (actual - foretold) / one.pair.predicted_s
        for name, (foretold, actual) in one.pair.phases.items()
    }
    largest = sorted((name for name in off if abs(off[name]) >= WORTH), key=lambda name: -abs(off[name]))
    return "; ".join(_phase(one, name, off[name]) for name in largest) or "nothing worth a word"


def _phase(one: Outcome, name: str, off: float) -> str:
    foretold, actual = one.pair.phases[name]
    drift = one.drifting.get(name)
    told = "" if drift is None else f", drift {drift:.2f}×"
    return f"{name} {off:+.1%} ({foretold:.1f} → {actual:.1f} s{told})"
