"""Predicted and actual times of finished runs, and the interval that they justify.

Split conformal prediction on the log ratio: with n past pairs, the rank ⌈level·(n+1)⌉ of |log(actual/predicted)| is
the half-width, in factors, that covers a new run with probability ``level`` as long as it resembles those before it
(Vovk et al. 2005; Lei et al. 2018). Nine pairs are the fewest that can carry 90 %.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from kit.errors import IntegrityError

SHIPPED = Path(__file__).with_name("history.json")
LEVEL = 0.9
FEWEST_PAIRS = 9


@dataclass(frozen=True)
class Pair:
    """One finished run: seconds predicted beforehand and taken, on a kind of machine."""

    notebook: str
    machine: str
    predicted_s: float
    actual_s: float
    date: str

    def __post_init__(self) -> None:
        if not (self.predicted_s > 0 and self.actual_s > 0):
            raise ValueError(f"times must be more than zero: {self.predicted_s!r}, {self.actual_s!r}")


@dataclass(frozen=True)
class Interval:
    """A multiplicative interval around a prediction: from prediction ÷ factor to prediction × factor."""

    factor: float
    level: float
    calibrated: bool
    pairs: int

    def around(self, predicted_s: float) -> tuple[float, float]:
        """Return (low, high) in seconds."""
        return predicted_s / self.factor, predicted_s * self.factor


def user_history() -> Path:
    """Return where the user's own pairs grow: the cache folder of the platform."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "training-kit" / "history.jsonl"


def read_pairs(path: Path | None = None) -> list[Pair]:
    """Return the pairs in a history file (JSON lines); none where there is no file.

    Raises:
        IntegrityError: a line is not a pair; names file and line.
    """
    file = user_history() if path is None else path
    if not file.exists():
        return []
    pairs = []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        try:
            pair = Pair(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise IntegrityError(
                f"{file}, line {number}, is not a pair of times: {error}", [str(file)]
            ) from error
        pairs.append(pair)
    return pairs


def add_pair(pair: Pair, path: Path | None = None) -> None:
    """Append one finished run to the user's history."""
    file = user_history() if path is None else path
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, (json.dumps(asdict(pair)) + "\n").encode())
    finally:
        os.close(descriptor)


def shipped_pairs() -> list[Pair]:
    """Return the pairs that come with the kit."""
    return [Pair(**row) for row in json.loads(SHIPPED.read_text())]


def interval_for(
    machine: str, own: Sequence[Pair], shipped: Sequence[Pair], level: float = LEVEL
) -> Interval:
    """Return the interval for a machine kind: from its own pairs once there are nine, else from the shipped ones.

    With fewer than nine pairs altogether the widest ratio seen is used, and the level is what that supports.
    """
    here = [pair for pair in own if pair.machine == machine]
    calibrated = len(here) >= FEWEST_PAIRS
    pairs = here if calibrated else list(shipped)
    scores = sorted(abs(math.log(pair.actual_s / pair.predicted_s)) for pair in pairs)
    if not scores:
        return Interval(2.0, 0.0, calibrated=False, pairs=0)
    rank = math.ceil(level * (len(scores) + 1))
    if rank > len(scores):
        return Interval(
            math.exp(scores[-1]), len(scores) / (len(scores) + 1), calibrated=False, pairs=len(scores)
        )
    return Interval(math.exp(scores[rank - 1]), level, calibrated, len(scores))
