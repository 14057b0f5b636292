"""KuhnMonitor: how much each new policy of Kuhn poker can be exploited, and the average of all of them."""

from __future__ import annotations

from typing import Any

from kit.league.action_probabilities import action_probabilities
from kit.league.exploitability import Policy, average_policy, exploitability, policy_from
from kit.league.game import View
from kit.league.prompt_templates import PromptTemplate
from kit.lm.language_model import LanguageModel


class KuhnMonitor:
    """Asks the policy in all twelve information sets after every update.

    What it learns is the exploitability (NashConv / 2, chips a hand) of the last policy, and of the average over all of
    them, weighted by how likely each comes there: it is the average that self-play brings to an equilibrium.

    Attributes:
        policies: one an update, in order.
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
        self.look_again()

    def look_again(self) -> None:
        """Begin with the policy as it is before any update."""
        self.policies = [self._policy()]

    def look(self) -> dict[str, float]:
        """Return the exploitability of the newest policy and of the average."""
        self.policies.append(self._policy())
        return self.figures()

    def figures(self) -> dict[str, float]:
        """Return both figures as they are now."""
        return {
            "eval_exploitability": exploitability(self.policies[-1]),
            "eval_exploitability_of_average": exploitability(average_policy(self.policies)),
        }

    def _policy(self) -> Policy:
        views: list[View] = []

        def note(view: View) -> dict[str, float]:
            views.append(view)
            return dict.fromkeys(view.legal, 1.0)

        policy_from(note)
        found = iter(
            action_probabilities(
                self._lm, self._template, views, adapter=self._adapter, temperature=self._temperature
            )
        )
        return policy_from(lambda _: next(found))

    def state_dict(self) -> dict[str, Any]:
        """Return all policies so far."""
        return {"policies": [{name: dict(chances) for name, chances in one.items()} for one in self.policies]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what ``state_dict`` returned."""
        self.policies = list(state["policies"])
