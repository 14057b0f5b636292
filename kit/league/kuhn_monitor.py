"""KuhnMonitor: how much each new policy of Kuhn poker can be exploited, and the average of all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kit.league.action_probabilities import action_log_probabilities
from kit.league.exploitability import Policy, average_policy, exploitability, policy_from
from kit.league.game import View
from kit.league.prompt_templates import PromptTemplate
from kit.lm.language_model import LanguageModel


class KuhnMonitor:
    """Asks the policy in all twelve information sets after every update.

    What it learns is the exploitability (NashConv / 2, chips a hand) of the last policy, and of the average over all of
    them, weighted by how likely each comes there: it is the average that self-play brings to an equilibrium.

    Both are of the policy among legal actions, scaled to 1 however little the model gives them in all: what it gives to
    other answers, which lose the hand, is told beside, as the mean over the information sets.

    Attributes:
        policies: one an update, in order.
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
        self.policies: list[Policy] = []
        self.illegal = 0.0
        self.look_again()

    def look_again(self) -> None:
        """Begin with the policy as it is before any update."""
        self.policies = [self._policy()]

    def look(self) -> dict[str, float]:
        """Return the exploitability of the newest policy and of the average, and the newest's illegal mass."""
        self.policies.append(self._policy())
        return self.figures()

    def figures(self) -> dict[str, float]:
        """Return the figures as they are now."""
        return {
            "eval_exploitability": exploitability(self.policies[-1]),
            "eval_exploitability_of_average": exploitability(average_policy(self.policies)),
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
        """Return all policies so far, and the illegal mass of the newest."""
        return {
            "illegal": self.illegal,
            "policies": [{name: dict(chances) for name, chances in one.items()} for one in self.policies],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what ``state_dict`` returned."""
        self.policies, self.illegal = list(state["policies"]), state["illegal"]


def relative_weights(logprobs: Mapping[str, float]) -> dict[str, float]:
    """Return probabilities relative to the likeliest one, which is 1: nothing underflows but what is tiny beside it."""
    most = max(logprobs.values())
    return {action: math.exp(logprob - most) for action, logprob in logprobs.items()}


def illegal_mass(logprobs: Mapping[str, float]) -> float:
    """Return what actions of these log-probabilities leave to other answers; rounding below 0 is 0."""
    return max(0.0, 1.0 - math.fsum(map(math.exp, logprobs.values())))
