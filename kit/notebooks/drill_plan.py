"""The plan of a drill: when each kill comes, in which phase, and what it ends; a function of the seed alone."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass

from kit.errors import UsageError
from kit.harness.heartbeat import Beat
from kit.notebooks.drill_kill import KERNEL, MACHINE

TRAINING, CHECKPOINT, EVALUATE, EXPORT, FINALISE = "training", "checkpoint", "evaluate", "export", "finalise"
KINDS = (TRAINING, CHECKPOINT, EVALUATE, EXPORT, FINALISE)
START_UP = "start-up"
STARTING = ("setup", "warm_up")
EACH = 3
"""Kills in each kind of phase, where there are enough of them."""
EARLIEST, LATEST = 0.02, 0.85
"""Between which shares of the run the kills during training are spread: after the last, every phase comes again."""


@dataclass(frozen=True)
class PlannedKill:
    """One kill: once the run has reached ``step``, at a moment of a phase of kind ``kind``.

    ``share`` is where in that moment's possible delay, from 0 to 1; ``victim`` is ``machine`` or ``kernel``.
    """

    step: int
    kind: str
    victim: str
    share: float


def kind_of(beat: Beat) -> str:
    """Return what a run was doing by its heartbeat; what follows training is evaluation, whatever its phase is called.

    A checkpoint that is written in the background counts as such where the run otherwise only trained.
    """
    if not beat.under_way:
        return START_UP
    if beat.phase in (CHECKPOINT, EVALUATE, EXPORT, FINALISE):
        return beat.phase
    if beat.step >= beat.total_steps:
        return START_UP if beat.phase in STARTING else EVALUATE
    return CHECKPOINT if beat.writing else TRAINING


def plan_kills(kills: int, seed: int, total_steps: int, there: Collection[str]) -> list[PlannedKill]:
    """Return the kills in the order in which they come; those in the finalisation are last.

    ``there`` are the kinds of phases that the run has. Three go to each kind before any is chosen at random;
    with fewer they are dealt out in turn. One evaluation in three is that of the end. Every third kill ends the
    training process only; of those in the finalisation all but the last do, since a machine that dies there may
    leave a run that is complete.

    Raises:
        UsageError: ``kills`` is less than one.
    """
    if kills < 1:
        raise UsageError(f"kills must be a whole number of at least 1, not {kills}.")
    rng = random.Random(seed)
    kinds = [kind for kind in KINDS if kind in there]
    rng.shuffle(kinds)
    dealt = (kinds * EACH)[:kills]
    dealt += rng.choices([kind for kind in kinds if kind != FINALISE], k=kills - len(dealt))
    in_the_end = dealt.count(EVALUATE) // EACH
    for _ in range(in_the_end):
        dealt.remove(EVALUATE)
    moments = sorted((_step(kind, total_steps, rng), kind) for kind in dealt if kind != FINALISE)
    moments += [(total_steps, EVALUATE)] * in_the_end
    planned = [
        PlannedKill(step, kind, KERNEL if number % EACH == EACH - 1 else MACHINE, rng.random())
        for number, (step, kind) in enumerate(moments)
    ]
    finals = dealt.count(FINALISE)
    ends = [MACHINE if number == finals - 1 else KERNEL for number in range(finals)]
    return planned + [PlannedKill(total_steps, FINALISE, victim, rng.random()) for victim in ends]


def _step(kind: str, total_steps: int, rng: random.Random) -> int:
    """Return from which step on a kill during training comes; evaluations are few, so those do not come late."""
    return round(total_steps * rng.uniform(EARLIEST, LATEST / 2 if kind == EVALUATE else LATEST))
