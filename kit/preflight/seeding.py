"""Whether a run's chance comes from a seed that is written down."""

from __future__ import annotations

from dataclasses import dataclass

from kit.preflight.check import Check, Verdict, fails, notes, passes
from kit.preflight.launching import Launching


def _look_at_seed(launching: Launching) -> Verdict:
    if "seed" not in launching.parameters:
        return notes("The notebook has no parameter 'seed': the session takes 0, other code may take none.")
    seed = launching.parameters["seed"]
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        return fails(f"seed is {seed!r}: that is no whole number from 0 on.")
    return passes(f"seed is {seed}.")


SEED = Check(
    "Seed set",
    "A result that cannot be repeated cannot be told from luck, and a resumed run needs its generators.",
    "Give the parameters cell seed = 0, hand it to the session's config, and leave seed out of the hyperparameters.",
    _look_at_seed,
)


@dataclass(frozen=True)
class SeedSeen:
    """The seed that the model was made with, and whether the environment repeats itself under one."""

    seed: int | None
    repeats: bool


def _look_at_generators(seen: SeedSeen) -> Verdict:
    if seen.seed is None:
        return fails(
            "The model was made with seed=None: its weights and its exploration are another in every run."
        )
    if not seen.repeats:
        return notes(
            f"The model's seed is {seen.seed}; the environment answers otherwise under the same seed."
        )
    return passes(f"The model's seed is {seen.seed}; under a seed the environment repeats itself.")


SEEDED = Check(
    "Seed reaches model and environment",
    "A seed that is written down and not used promises a repetition that nobody can make.",
    "Hand no seed=None to the algorithm; take all chance in the environment from self.np_random.",
    _look_at_generators,
)
