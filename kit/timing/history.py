"""Predicted and actual times of finished runs, and the interval that they justify.

Split conformal prediction on the log ratio: with n past pairs, the rank ⌈level·(n+1)⌉ of |log(actual/predicted)| is
the half-width, in factors, that covers a new run with probability ``level`` as long as it resembles those before it
(Vovk et al. 2005; Lei et al. 2018). Nine pairs are the fewest that can carry 90 %.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from kit.harness.platform import cache_folder

logger = logging.getLogger(__name__)

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
        if not (0 < self.predicted_s < math.inf and 0 < self.actual_s < math.inf):
            raise ValueError(
                f"times must be more than zero, and finite: {self.predicted_s!r}, {self.actual_s!r}"
            )


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
    return cache_folder() / "history.jsonl"


def read_pairs(path: Path | None = None) -> list[Pair]:
    """Return the pairs in a history file (JSON lines); none where there is no file.

    The history only narrows an interval, so no damage to it ends a run: a line that is no pair, or a file that
    cannot be read, is skipped with a warning that names it.
    """
    try:
        file = user_history() if path is None else path
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        logger.warning("The history of forecasts cannot be read, so it does not count: %s", error)
        return []
    pairs = []
    for number, line in enumerate(lines, 1):
        try:
            pairs.append(Pair(**json.loads(line)))
        except (ValueError, TypeError) as error:
            logger.warning("%s, line %d, is not a pair of times and is skipped: %s", file, number, error)
    return pairs


def add_pair(pair: Pair, path: Path | None = None) -> None:
    """Append one finished run to the user's history; where that cannot be written, a warning says so."""
    line = (json.dumps(asdict(pair)) + "\n").encode()
    try:
        file = user_history() if path is None else path
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            torn = (
                size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            )  # a kill cut the line before this one
            os.write(descriptor, b"\n" * torn + line)
        finally:
            os.close(descriptor)
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        logger.warning("The time of this run is not added to the history of forecasts: %s", error)


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
