"""Whether evaluation stays away from the training environment."""

from __future__ import annotations

from dataclasses import dataclass

from kit.preflight.check import Check, Verdict, fails, notes, passes


@dataclass(frozen=True)
class EvaluationSeen:
    """What the evaluations of a quick test did to what trains.

    Attributes:
        asked: whether the workload evaluates at all.
        times: how often it did.
        resets: resets of the training environment meanwhile.
        steps: steps of the training environment meanwhile.
        state_changed: whether the training environment's state was another one afterwards.
        drew: the global random number generators that it drew from.
    """

    asked: bool
    times: int = 0
    resets: int = 0
    steps: int = 0
    state_changed: bool = False
    drew: tuple[str, ...] = ()


def _look_at_evaluation(seen: EvaluationSeen) -> Verdict:
    if not seen.asked:
        return passes("Nothing is evaluated during training.")
    if not seen.times:
        return notes("The quick test ended before its first evaluation.")
    if seen.resets or seen.steps or seen.state_changed:
        what = (
            f"{seen.resets} resets and {seen.steps} steps" if seen.resets or seen.steps else "another state"
        )
        return fails(f"Evaluation left its traces in the training environment: {what}.")
    if seen.drew:
        return notes(
            f"Evaluation has an environment of its own, but draws from the global generators ({', '.join(seen.drew)}), "
            "so how often it comes changes the training."
        )
    return passes(
        f"Evaluations so far: {seen.times}. No step, reset or random number was taken from the training."
    )


EVALUATION = Check(
    "Evaluation environment is not the training one",
    "Evaluation ran on the training environment: its resets ended episodes half-way and corrupted transitions.",
    "Make another environment for the evaluation, seed it by itself, and predict with deterministic=True.",
    _look_at_evaluation,
)
