"""Whether a checkpoint brings the training back: saved, loaded into a new model, compared."""

from __future__ import annotations

from dataclasses import dataclass

from kit.preflight.check import Check, Verdict, fails, notes, passes

VITAL = ("weights", "replay buffer")
"""What a resumed run cannot do without; whatever else differs makes it inexact."""


@dataclass(frozen=True)
class RoundTrip:
    """A checkpoint read back from disk into a model and an environment that were just made.

    Attributes:
        step: that of the checkpoint; None where there was none to load.
        compared: what was compared, such as ``weights``, ``replay buffer``.
        differ: what of it came back as something else.
        rows: transitions in the replay buffer; None where the algorithm has none.
        inexact: why the run itself says that its resume is not exact, None where it is.
    """

    step: int | None
    compared: tuple[str, ...]
    differ: tuple[str, ...]
    rows: int | None
    inexact: str | None


def _look_at_round_trip(trip: RoundTrip) -> Verdict:
    if trip.step is None:
        return fails("The quick test left no checkpoint that can be read.")
    lost = [name for name in trip.differ if name in VITAL]
    reason = f" ({trip.inexact})" if trip.inexact else ""
    if lost:
        return fails(
            f"The checkpoint of step {trip.step:,} does not bring back the {' and the '.join(lost)}{reason}."
        )
    if trip.differ and not trip.inexact:
        return fails(f"The checkpoint of step {trip.step:,} brings back another {', '.join(trip.differ)}.")
    rows = f", {trip.rows:,} transitions in the replay buffer" if trip.rows is not None else ""
    same = ", ".join(name for name in trip.compared if name not in trip.differ)
    saw = f"The checkpoint of step {trip.step:,}, loaded into a new model, brings back {same}{rows}"
    if trip.inexact:
        return notes(f"{saw}; but resume is not exact: {trip.inexact}.")
    return passes(f"{saw}.")


RESUME = Check(
    "Resume round-trips, replay buffer included",
    "A resume that never loaded the replay buffer went on with an empty one, and looked like any other.",
    "Use one of the replay buffers and algorithms that are captured (docs/exact-resume.md), or end within one session.",
    _look_at_round_trip,
)
