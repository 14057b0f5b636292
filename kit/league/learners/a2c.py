"""A2C: REINFORCE with a critic of its own, and advantages by GAE over a player's own turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from kit.errors import UsageError
from kit.league.gae import gae, normalised
from kit.league.learners.base import EPISODES, POLICY, BaseLearner
from kit.league.learners.policy_gradient import PolicyGradient, micro_batches
from kit.league.learners.settings import positive_number
from kit.league.seeds import derived_seed
from kit.league.trajectory import Step
from kit.lm.lora import LoraSettings
from kit.lm.value import CRITIC, ValueModel


@dataclass(frozen=True)
class A2CSettings:
    """What A2C adds to LearnerSettings.

    Attributes:
        infer_mini_batch_size: states whose values are computed together, without gradients.
        critic_learning_rate: of the critic's AdamW.
        normalize_adv: whether a batch's advantages are brought to mean 0 and deviation 1.
        gamma: discount for each of a player's own turns.
        lam: λ of GAE.
        importance_clip: see PolicyGradient.
        critic_lora: the critic's adapter; None: as large as the policy's.
    """

    infer_mini_batch_size: int = 16
    critic_learning_rate: float = 1e-5
    normalize_adv: bool = True
    gamma: float = 1.0
    lam: float = 1.0
    importance_clip: float | None = None
    critic_lora: LoraSettings | None = None

    def __post_init__(self) -> None:
        if self.infer_mini_batch_size < 1:
            raise UsageError(f"infer_mini_batch_size must be at least 1, not {self.infer_mini_batch_size}.")
        positive_number("critic_learning_rate", self.critic_learning_rate)
        gae([], [], self.gamma, self.lam)


@dataclass(frozen=True)
class Judged:
    """The steps of a batch, and what the critic makes of them, step by step."""

    steps: list[Step]
    values: list[float]
    advantages: list[float]
    returns: list[float]


class A2C(BaseLearner):
    """Two adapters on one backbone: the policy's, by PolicyGradient with GAE's advantage, and the critic's.

    Policy and critic have an AdamW each and are clipped each by itself. The critic's loss is ½ (V(s) − R)², averaged
    over the steps of the batch, with R the return that GAE gives.

    A batch is a sequence of episodes, each the steps of a game in order; the reward at its end is in a player's last
    step and nowhere else. Where an episode holds the steps of several players, each one's turns are taken apart.
    """

    batch_of: ClassVar[str] = EPISODES
    _algorithm: A2CSettings | None = None
    critic: ValueModel

    def initialize_algorithm(
        self,
        *,
        infer_mini_batch_size: int = 16,
        critic_learning_rate: float = 1e-5,
        normalize_adv: bool = True,
        gamma: float = 1.0,
        lam: float = 1.0,
        importance_clip: float | None = None,
        critic_lora: LoraSettings | None = None,
        **settings: Any,
    ) -> None:
        """Make the critic, once; the settings are those of A2CSettings, and what every learner can set late.

        Raises:
            UsageError: it was called before, or a setting is out of range.
        """
        if self._algorithm is not None:
            raise UsageError("initialize_algorithm() makes the critic, and can be called once only.")
        super().initialize_algorithm(**settings)
        algorithm = A2CSettings(
            infer_mini_batch_size,
            critic_learning_rate,
            normalize_adv,
            gamma,
            lam,
            PolicyGradient(self.settings, importance_clip).importance_clip,
            critic_lora,
        )
        seed = derived_seed(self.settings.seed, "value head")
        lora = critic_lora or self.lm.adapters.settings[POLICY]
        self.critic = ValueModel(self.lm, lora, seed=seed)
        self.train(CRITIC, self.critic.parameters(), algorithm.critic_learning_rate)
        self._algorithm = algorithm

    @property
    def algorithm(self) -> A2CSettings:
        """What ``initialize_algorithm`` was told; raises UsageError before."""
        if self._algorithm is None:
            raise UsageError("A2C has no critic yet: call initialize_algorithm() first.")
        return self._algorithm

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back policy, critic, their optimizers and counters; see BaseLearner."""
        _ = self.algorithm  # refuses before there is a critic to put back
        super().load_state_dict(state)

    def _update(self, batch: Sequence[Sequence[Step]]) -> dict[str, float]:
        judged = self._judge(batch)
        gradient = PolicyGradient(self.settings, self.algorithm.importance_clip)
        advantages = normalised(judged.advantages) if self.algorithm.normalize_adv else judged.advantages
        metrics = gradient.accumulate(self.lm, judged.steps, advantages, self.backward)
        count = len(judged.steps)
        return metrics | {
            "value_loss": self._critic_gradient(judged),
            "mean_value": sum(judged.values) / count,
            "mean_return": sum(judged.returns) / count,
            "mean_advantage": sum(judged.advantages) / count,
        }

    def _judge(self, batch: Sequence[Sequence[Step]]) -> Judged:
        """Return advantages and returns of all steps, each player's turns by themselves."""
        algorithm = self.algorithm
        turns = [own for episode in batch for own in own_turns(episode)]
        steps = [step for own in turns for step in own]
        values = self.critic.infer(
            [step.prompt_ids for step in steps],
            batch=algorithm.infer_mini_batch_size,
            max_length=self.settings.max_train_len,
            on_batch=self.on_micro_batch,
        )
        judged, start = Judged(steps, values, [], []), 0
        for own in turns:
            rewards, here = [step.reward for step in own], values[start : start + len(own)]
            advantages, returns = gae(rewards, here, algorithm.gamma, algorithm.lam)
            judged.advantages.extend(advantages)
            judged.returns.extend(returns)
            start += len(own)
        return judged

    def _critic_gradient(self, judged: Judged) -> float:
        """Add the gradients of ½ (V − R)², averaged over the batch, and return it."""
        steps, total = judged.steps, 0.0
        with self.critic.using():
            for numbers in micro_batches(steps, self.settings.mini_batch_size):
                part = [steps[number] for number in numbers]
                states = [step.prompt_ids for step in part]
                values = self.critic.values(states, max_length=self.settings.max_train_len)
                wanted = torch.tensor([judged.returns[number] for number in numbers], device=values.device)
                loss = 0.5 * (values - wanted).square().sum() / len(steps)
                self.backward(loss, part)
                total += float(loss.detach())
        return total


def own_turns(episode: Sequence[Step]) -> list[list[Step]]:
    """Return the steps of each player of each game in ``episode``, in order."""
    found: dict[tuple[int, int], list[Step]] = {}
    for step in episode:
        found.setdefault((step.game, step.pid), []).append(step)
    return list(found.values())
