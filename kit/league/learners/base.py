"""BaseLearner: one update of the policy's adapter from a batch of games, whole or not at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from inspect import Parameter, signature
from typing import Any, ClassVar

import torch

from kit.errors import UnknownNameError, UsageError
from kit.league.learners.adapter_optimizer import AdapterOptimizer
from kit.league.learners.divergence import divergence
from kit.league.learners.loss_scale import LossScale
from kit.league.learners.settings import LearnerSettings
from kit.league.trajectory import Step
from kit.lm.adapter import adapter_in_training, adapter_parameters
from kit.lm.gradient_memory import GradientMemory
from kit.lm.language_model import LanguageModel

__all__ = ["BATCHES", "POLICY", "BaseLearner", "LearnerSettings"]

POLICY = "policy"
"""Name of the adapter that is trained, and of its optimizer."""
STEPS, EPISODES = "steps", "episodes"
BATCHES = (STEPS, EPISODES)


class BaseLearner:
    """The place to add an algorithm: a subclass gives ``_update``, and ``initialize_algorithm`` where it has settings.

    ``update`` does the rest: it clears gradients, has ``_update`` add them up, and only where all of them are
    finite clips them, takes the step and counts it. After an error of any kind weights and optimizer are as before.

    Attributes:
        batch_of: STEPS for a batch of steps, EPISODES for one of sequences of a player's steps in a game; the buffer
            goes by it.
        lm: the model with the adapter that is trained, ``POLICY``.
        settings: what it was told.
        policy_version: updates so far.
        optimizers: by what they train; all of them take a step, or none does.
        on_micro_batch: called whenever steps have passed through the model, by whoever shows that an update goes on;
            it must change nothing.
    """

    batch_of: ClassVar[str] = STEPS

    def __init__(self, lm: LanguageModel, settings: LearnerSettings) -> None:
        self.lm, self.settings, self.policy_version = lm, settings, 0
        self.optimizers: dict[str, AdapterOptimizer] = {}
        self.loss_scale = LossScale(lm.dtype)
        self.on_micro_batch: Callable[[], object] = _nothing
        self.train(POLICY, adapter_parameters(lm, POLICY), settings.learning_rate)

    def train(self, name: str, parameters: dict[str, torch.nn.Parameter], learning_rate: float) -> None:
        """Have ``parameters`` trained by an optimizer of their own, clipped by a norm of their own."""
        self.optimizers[name] = AdapterOptimizer(
            parameters,
            learning_rate=learning_rate,
            gradient_clipping=self.settings.gradient_clipping,
            weight_decay=self.settings.weight_decay,
            momentum=self.settings.momentum,
        )

    def initialize_algorithm(self, **settings: Any) -> None:
        """Set what belongs to the algorithm; here what of LearnerSettings can be set late.

        Raises:
            UnknownNameError: a setting that this learner does not have.
        """
        late = {"max_train_len", "max_generation_len", "loss", "momentum", "halved_after"}
        own = {
            name
            for name, parameter in signature(self.initialize_algorithm).parameters.items()
            if parameter.kind is not Parameter.VAR_KEYWORD
        }
        for name in settings:
            if name not in late:
                raise UnknownNameError(f"setting of {type(self).__name__}", name, late | own)
        self.settings = replace(self.settings, **settings)
        for optimizer in self.optimizers.values():
            optimizer.momentum = self.settings.momentum

    def _update(self, batch: Sequence[Any]) -> dict[str, float]:
        """Add up the gradients of ``batch`` by ``self.backward`` and return metrics; the policy's adapter is in use."""
        raise NotImplementedError

    def backward(self, loss: torch.Tensor, steps: Sequence[Step]) -> None:
        """Add the gradient of ``loss``, which these steps have.

        Raises:
            DivergenceError: the loss is not a finite number; names the steps.
        """
        value = float(loss.detach())
        if not math.isfinite(value):
            raise divergence(f"The loss is {value}", steps, self.policy_version)
        (loss * self.loss_scale.value).backward()  # type: ignore[no-untyped-call]
        self.on_micro_batch()

    def update(self, batch: Sequence[Any]) -> dict[str, float]:
        """Learn from a batch once and return its metrics, those of ``_update`` and what every update has.

        Beside them: ``gradient_norm`` (before clipping; ``critic_gradient_norm`` and so on for others that are
        trained), ``mean_reward`` of a step, ``staleness`` (mean of the updates since a step was sampled).

        Raises:
            UsageError: the batch is empty; ``_update`` returns no metrics, or adds no gradient.
            DivergenceError: a loss or a gradient is not finite; names games and turns, and nothing was learnt.
        """
        steps = self.steps_of(batch)
        if not steps:
            raise UsageError("A batch has no step to learn from.")
        try:
            metrics, norms = self._gradients(batch, steps)
            share = self.settings.share_of_rate(self.policy_version)
            for name, optimizer in self.optimizers.items():
                optimizer.step(norms[name], share)
        finally:
            for optimizer in self.optimizers.values():
                optimizer.clear()
        metrics |= {_norm_of(name): norm for name, norm in norms.items()}
        metrics["mean_reward"] = sum(step.reward for step in steps) / len(steps)
        metrics["staleness"] = sum(self.policy_version - step.policy_version for step in steps) / len(steps)
        self.policy_version += 1
        self.loss_scale.passed()
        return metrics

    def steps_of(self, batch: Sequence[Any]) -> list[Step]:
        """Return the steps of a batch, of steps or of episodes."""
        return list(batch) if self.batch_of == STEPS else [step for episode in batch for step in episode]

    def _gradients(
        self, batch: Sequence[Any], steps: Sequence[Step]
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Return metrics and the norm of each optimizer's gradients, all of which are finite."""
        memory = GradientMemory(self.settings.activation_checkpointing, self.settings.gradient_checkpointing)
        scale = self.loss_scale.state_dict()
        while True:
            for optimizer in self.optimizers.values():
                optimizer.clear()
            with memory.training(self.lm.module), adapter_in_training(self.lm, POLICY):
                metrics = self._learnt(batch)
            for optimizer in self.optimizers.values():
                optimizer.divide(self.loss_scale.value)
            norms = {name: optimizer.norm() for name, optimizer in self.optimizers.items()}
            broken = [name for name, norm in norms.items() if not math.isfinite(norm)]
            if not broken:
                return metrics, norms
            if not self.loss_scale.lowered():
                self.loss_scale.load_state_dict(scale)
                what = f"The norm of the {broken[0]}'s gradient is {norms[broken[0]]}"
                raise divergence(what, steps, self.policy_version)

    def _learnt(self, batch: Sequence[Any]) -> dict[str, float]:
        """Return the metrics of ``_update``; raises UsageError where it returns none, or adds no gradient at all."""
        found: object = self._update(batch)
        if not isinstance(found, Mapping):
            raise UsageError(f"{type(self).__name__}._update returned {found!r}, and not metrics by name.")
        if not any(optimizer.has_gradients for optimizer in self.optimizers.values()):
            raise UsageError(
                f"{type(self).__name__}._update added no gradient: each loss is for self.backward()."
            )
        return dict(found)

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next update depends on: weights of the adapters, optimizers, counters."""
        return {
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "policy_version": self.policy_version,
            "loss_scale": self.loss_scale.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what ``state_dict`` of a learner of the same algorithm returned.

        Raises:
            UsageError: it is of another algorithm, or of other adapters.
        """
        there, own = sorted(state["optimizers"]), sorted(self.optimizers)
        if there != own:
            raise UsageError(f"The saved learner trains {', '.join(there)}, this one {', '.join(own)}.")
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.policy_version = state["policy_version"]
        self.loss_scale.load_state_dict(state["loss_scale"])


def _nothing() -> None:
    """Show nothing."""


def _norm_of(name: str) -> str:
    return "gradient_norm" if name == POLICY else f"{name}_gradient_norm"
