"""The average of policies of Kuhn poker, weighted by how likely each comes to an information set; it grows by sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kit.errors import UsageError
from kit.league.games.kuhn_rules import INFORMATION_SETS, information_set, mover, read_information_set
from kit.league.kuhn_policy import Policy, checked, legal_in


class RunningAverage:
    """The policy that plays like drawing one of those added before the hand, each equally likely.

    For every information set I of player i and action a, Zinkevich et al. (2007), equation 4:

        sum_t  reach_i,t(I) · p_t(a | I)  /  sum_t  reach_i,t(I)

    where reach is the product of player i's own probabilities on the way to I. Where none of them ever comes, no
    choice matters, and it is their plain mean. Only the sums are kept, so however many policies there were, adding one
    takes the same time.

    Attributes:
        count: policies added.
    """

    def __init__(self) -> None:
        self.count = 0
        self._reached = _zeros()
        self._plain = _zeros()

    def add(self, policy: Policy) -> None:
        """Add one; raises UsageError where it is no policy."""
        checked(policy)
        self.count += 1
        for name in INFORMATION_SETS:
            reach = _own_reach(name, policy)
            for action, chance in policy[name].items():
                self._reached[name][action] += reach * chance
                self._plain[name][action] += chance

    def policy(self) -> dict[str, dict[str, float]]:
        """Return the average; raises UsageError where nothing was added."""
        if not self.count:
            raise UsageError("There is no policy to average.")
        return {name: _scaled(self._reached[name]) or _scaled(self._plain[name]) for name in INFORMATION_SETS}

    def state_dict(self) -> dict[str, Any]:
        """Return the sums."""
        return {"count": self.count, "reached": _copied(self._reached), "plain": _copied(self._plain)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state_dict`` returned."""
        self.count = int(state["count"])
        self._reached, self._plain = _copied(state["reached"]), _copied(state["plain"])


def average_policy(policies: Iterable[Policy]) -> dict[str, dict[str, float]]:
    """Return the RunningAverage of all of them.

    Raises:
        UsageError: there are none, or one of them is no policy.
    """
    average = RunningAverage()
    for policy in policies:
        average.add(policy)
    return average.policy()


def _own_reach(name: str, policy: Policy) -> float:
    card, history = read_information_set(name)
    reach = 1.0
    for turn in range(len(history)):
        if mover(history[:turn]) == mover(history):
            reach *= policy[information_set(card, history[:turn])][history[turn]]
    return reach


def _zeros() -> dict[str, dict[str, float]]:
    return {name: dict.fromkeys(legal_in(name), 0.0) for name in INFORMATION_SETS}


def _copied(sums: Policy) -> dict[str, dict[str, float]]:
    return {name: dict(sums[name]) for name in INFORMATION_SETS}


def _scaled(sums: Mapping[str, float]) -> dict[str, float]:
    """Return the sums as shares of 1; empty where all are 0."""
    total = sum(sums.values())
    return {action: value / total for action, value in sums.items()} if total else {}
