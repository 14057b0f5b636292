"""KuhnMonitor: how much each new policy of Kuhn poker can be exploited, and the average of all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kit.league.action_probabilities import action_log_probabilities
from kit.league.exploitability import Policy, exploitability, policy_from
from kit.league.game import View
from kit.league.kuhn_average import RunningAverage
from kit.league.prompt_templates import PromptTemplate
from kit.lm.language_model import LanguageModel


class KuhnMonitor:
    """Asks the policy in all twelve information sets after every update.

    What it learns is the exploitability (NashConv / 2, chips a hand) of the last policy, and of the average over all of
    them, weighted by how likely each comes there: it is the average that self-play brings to an equilibrium.

    Both are of the policy among legal actions, scaled to 1 however little the model gives them in all: what it gives to
    other answers, which lose the hand, is told beside, as the mean over the information sets.

    Attributes:
        first: the policy before any update.
        policy: the newest.
        average: of the first and all those since.
        illegal: of the newest, the mean probability of an answer that is no legal action, from 0 to 1.
    """

    def __init__(
        self,
        lm: LanguageModel,
        template: PromptTemplate,
        *,
        adapter: str = "policy",
        temperature: float = 1.0,
    ) -> None:
        self._lm, self._template, self._adapter, self._temperature = lm, template, adapter, temperature
        self.illegal = 0.0
        self.average = RunningAverage()
        self.first = self.policy = self._policy()
        self.average.add(self.policy)

    def look(self) -> dict[str, float]:
        """Return the exploitability of the newest policy and of the average, and the newest's illegal mass."""
        self.policy = self._policy()
        self.average.add(self.policy)
        return self.figures()

    def figures(self) -> dict[str, float]:
        """Return the figures as they are now."""
        return {
            "eval_exploitability": exploitability(self.policy),
            "eval_exploitability_of_average": exploitability(self.average.policy()),
            "eval_illegal_mass": self.illegal,
        }

    def _policy(self) -> Policy:
        views: list[View] = []

        def note(view: View) -> dict[str, float]:
            views.append(view)
            return dict.fromkeys(view.legal, 1.0)

        policy_from(note)
        found = action_log_probabilities(
            self._lm, self._template, views, adapter=self._adapter, temperature=self._temperature
        )
        self.illegal = math.fsum(illegal_mass(one) for one in found) / len(found)
        weights = iter(map(relative_weights, found))
        return policy_from(lambda _: next(weights))

    def state_dict(self) -> dict[str, Any]:
        """Return the first and the newest policy, its illegal mass, and the sums that the average is made of."""
        return {
            "illegal": self.illegal,
            "first": _plain(self.first),
            "policy": _plain(self.policy),
            "average": self.average.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what ``state_dict`` returned."""
        self.first, self.policy, self.illegal = state["first"], state["policy"], state["illegal"]
        self.average.load_state_dict(state["average"])


def _plain(policy: Policy) -> dict[str, dict[str, float]]:
    return {name: dict(chances) for name, chances in policy.items()}


def relative_weights(logprobs: Mapping[str, float]) -> dict[str, float]:
    """Return probabilities relative to the likeliest one, which is 1: nothing underflows but what is tiny beside it."""
    most = max(logprobs.values())
    return {action: math.exp(logprob - most) for action, logprob in logprobs.items()}


def illegal_mass(logprobs: Mapping[str, float]) -> float:
    """Return what actions of these log-probabilities leave to other answers; rounding below 0 is 0."""
    return max(0.0, 1.0 - math.fsum(map(math.exp, logprobs.values())))
