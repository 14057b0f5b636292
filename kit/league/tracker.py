"""Tracker: what the league counts and averages; the row of metrics of an update, and what the terminal shows."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from kit.errors import UsageError
from kit.league.game_record import GameRecord
from kit.league.metric_writers import MetricWriter
from kit.league.outcome import actors, mean_reward, meetings

PAST = "past"
"""Stands for all earlier checkpoints as opponents: each by its own name would be a column an update."""


class Tracker:
    """Counts since the league began, and means over the last ``window`` observations of each name.

    Of a game of ``kind`` (``train``, ``eval``), by the moves of its actors:

    ================================  ==============================================================================
    ``KIND/games``, ``KIND/faults``  counts: games over, and those of them that broke
    ``KIND/moves``                    count, as are ``KIND/illegal`` and ``KIND/bad_format``
    ``KIND/illegal_rate``             mean share of a game's moves; ``KIND/format_rate``: of those in the form asked for
    ``KIND/length``                   mean moves of a game, everybody's
    ``KIND/reward``                   mean reward of the actors, as the game gave it
    ``KIND/answer_tokens``            mean tokens of an answer, of those who learn
    ``KIND/ENV/reward_seat_N``        mean reward of actors in that seat
    ``KIND/ENV/OPPONENT/score``       mean score against a fixed opponent: 1 won, 0.5 drawn, 0 lost; and ``…/drawn``
    ================================  ==============================================================================

    Times decide nothing and are in no row: they are ``gauge``s, which the terminal shows and no checkpoint keeps.
    """

    def __init__(self, window: int = 100, writers: Sequence[MetricWriter] = ()) -> None:
        if window < 1:
            raise UsageError(f"window must be at least 1 observation, not {window}.")
        self.window, self.writers = window, tuple(writers)
        self._counts: dict[str, int] = {}
        self._recent: dict[str, deque[float]] = {}
        self._gauges: dict[str, float] = {}

    def log(self, name: str, value: float) -> None:
        """Add an observation; one that is not finite is in no mean, and is counted as ``NAME/not_finite``."""
        value = float(value)
        if math.isfinite(value):
            self._recent.setdefault(name, deque(maxlen=self.window)).append(value)
        else:
            self.count(f"{name}/not_finite")

    def count(self, name: str, more: int = 1) -> None:
        """Add to a count."""
        self._counts[name] = self._counts.get(name, 0) + more

    def gauge(self, name: str, value: float) -> None:
        """Note what the terminal shows and no row holds: tokens per second, the length of a queue."""
        self._gauges[name] = float(value)

    def log_game(self, record: GameRecord) -> None:
        """Count a game that is over; one that broke says nothing but that."""
        kind, env_id = record.spec.kind, record.spec.env_id
        self.count(f"{kind}/games")
        self.count(f"{kind}/faults", int(bool(record.fault)))
        if record.fault:
            return
        self._log_moves(record)
        self.log(f"{kind}/length", len(record.moves))
        reward = mean_reward(record)
        if reward is not None:
            self.log(f"{kind}/reward", reward)
        for one in actors(record.spec):
            self.log(f"{kind}/{env_id}/reward_seat_{one.pid}", record.rewards[one.pid])
        for _, opponent, score in meetings(record):
            name = f"{kind}/{env_id}/{opponent.uid if opponent.policy_version < 0 else PAST}"
            self.log(f"{name}/score", score)
            self.log(f"{name}/drawn", float(score == 0.5))

    def _log_moves(self, record: GameRecord) -> None:
        kind, ours = record.spec.kind, {one.pid for one in actors(record.spec)}
        moves = [move for move in record.moves if move.pid in ours]
        illegal, bad = sum(not move.legal for move in moves), sum(not move.format_ok for move in moves)
        for name, number in (("moves", len(moves)), ("illegal", illegal), ("bad_format", bad)):
            self.count(f"{kind}/{name}", number)
        if moves:
            self.log(f"{kind}/illegal_rate", illegal / len(moves))
            self.log(f"{kind}/format_rate", 1.0 - bad / len(moves))
        lengths = [len(step.token_ids) for one in record.trajectories for step in one.steps]
        if lengths:
            self.log(f"{kind}/answer_tokens", sum(lengths) / len(lengths))

    # Out

    def row(self) -> dict[str, float]:
        """Return the metrics of an update, by name in alphabetical order: counts and means, nothing that is a time."""
        means = {name: _mean(values) for name, values in self._recent.items()}
        return dict(sorted({**self._counts, **means}.items()))

    def write(self, step: int, row: Mapping[str, float]) -> None:
        """Hand a row to the writers, if there are any."""
        for writer in self.writers:
            writer.write(step, row)

    def close(self) -> None:
        """Let the writers finish."""
        for writer in self.writers:
            writer.close()

    def view(self) -> dict[str, Any]:
        """Return what the terminal shows, as plain values."""
        means = {name: _mean(values) for name, values in self._recent.items()}
        return {"counts": dict(self._counts), "means": means, "gauges": dict(self._gauges)}

    def state_dict(self) -> dict[str, Any]:
        """Return the counts and the last observations of each name."""
        return {
            "counts": dict(self._counts),
            "recent": {name: list(values) for name, values in self._recent.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put them back."""
        self._counts = {name: int(count) for name, count in state["counts"].items()}
        self._recent = {name: deque(values, maxlen=self.window) for name, values in state["recent"].items()}


def _mean(values: Iterable[float]) -> float:
    there = list(values)
    try:
        return math.fsum(there) / len(there)
    except OverflowError:  # the sum of the largest numbers there are; their mean is no larger than they are
        return float(sum(map(Fraction, there)) / len(there))
