"""Which seeds a demand day is drawn from: three ranges that cannot meet.

Training plays days from ``TRAINING``, choosing the best model uses ``SELECTION``, and ``TEST`` is used once,
at the end, by every controller alike. A day is wholly determined by its seed.
"""

from __future__ import annotations

from kit.errors import UsageError

TRAINING = range(1_000_000)
SELECTION = range(1_000_000, 2_000_000)
TEST = range(3_000_000, 4_000_000)

_MASK = (1 << 64) - 1


def training_seed(base_seed: int, env_index: int, episode: int) -> int:
    """Return the seed of one training day, spread over ``TRAINING`` and the same on every machine.

    Args:
        base_seed: the run's seed (any integer).
        env_index: which of the parallel environments, from 0.
        episode: how many episodes that environment has begun before, from 0.

    The three numbers go through the finaliser of SplitMix64 (Steele, Lea and Flood 2014), one after the
    other, so neighbouring runs, environments and episodes share no pattern. Two of them may, rarely, play
    the same day.
    """
    mixed = 0
    for number in (base_seed, env_index, episode):
        mixed = _splitmix64(mixed ^ (number & _MASK))
    return TRAINING.start + mixed % len(TRAINING)


def training_seeds(n: int, base_seed: int = 0) -> list[int]:
    """Return ``n`` distinct training seeds, for searches that need a few days."""
    _check_count(n, TRAINING)
    seeds: dict[int, None] = {}
    episode = 0
    while len(seeds) < n:
        seeds[training_seed(base_seed, 0, episode)] = None
        episode += 1
    return list(seeds)


def selection_seeds(n: int) -> list[int]:
    """Return the first ``n`` seeds for choosing the best model; never met in training or in the test."""
    return list(SELECTION[: _check_count(n, SELECTION)])


def test_seeds(n: int) -> list[int]:
    """Return the first ``n`` seeds of the final comparison; never met before it."""
    return list(TEST[: _check_count(n, TEST)])


test_seeds.__test__ = False  # type: ignore[attr-defined]  # not a test for pytest to collect


def _check_count(n: int, seeds: range) -> int:
    if not 0 <= n <= len(seeds):
        raise UsageError(f"{n} seeds were asked for; legal are 0 to {len(seeds)}.")
    return n


def _splitmix64(x: int) -> int:
    x = (x + 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)
