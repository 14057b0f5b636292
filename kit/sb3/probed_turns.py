"""The turns of an algorithm under a stopwatch: where each begins and ends, and what its parts are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from kit.sb3.state import losses
from kit.timing.probing import Probing


class ProbedTurns(BaseCallback):
    """Ends a step of ``probing`` with every turn, a rollout and its update, and ends training with the probe.

    Whatever a turn spends between the end of its rollout and the next is ``compute``; the steps of every optimizer are
    ``optimiser`` inside it, and are counted.
    """

    def __init__(self, model: BaseAlgorithm, probing: Probing) -> None:
        super().__init__()
        self._algorithm, self._probing = model, probing
        self._optimiser_steps = self._counted = 0
        self._updating = self._begun = self._enough = False

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Time the environment, the policy and the optimizers inside the block."""
        model, env = self._algorithm, self._algorithm.get_env()
        chooses = (
            (model.policy, "forward") if isinstance(model, OnPolicyAlgorithm) else (model, "_sample_action")
        )
        places: list[tuple[Any, str, str]] = [
            (env, "step", "environment"),
            (env, "reset", "environment"),
            (*chooses, "policy"),
        ]
        hooks = [
            register_optimizer_step_pre_hook(lambda *_: self._probing.enter("optimiser")),
            register_optimizer_step_post_hook(lambda *_: self._stepped()),
        ]
        for owner, name, part in places:
            setattr(owner, name, self._under(part, getattr(owner, name)))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            for owner, name, _ in places:
                delattr(owner, name)

    def _under(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self._probing.part(part):
                return function(*args, **kwargs)

        return timed

    def _stepped(self) -> None:
        self._probing.leave()
        self._optimiser_steps += 1

    def _on_rollout_start(self) -> None:
        if self._begun:
            self._end_turn()
        self._begun = True

    def _on_step(self) -> bool:
        # A turn that is broken off does not count: it has no update.
        self._enough = self._enough or self._probing.over
        return not self._enough

    def _on_rollout_end(self) -> None:
        self._probing.enter("compute")
        self._updating = True

    def _on_training_end(self) -> None:
        if not self._enough:
            self._end_turn()

    def _end_turn(self) -> None:
        if self._updating:
            self._probing.leave()
        found = [value for value in losses(self._algorithm).values() if value is not None]
        self._enough = not self._probing.step(
            samples=self._algorithm.num_timesteps - self._counted,
            loss=sum(found) if found else None,
            optimiser_steps=self._optimiser_steps,
        )
        self._updating, self._optimiser_steps = False, 0
        self._counted = self._algorithm.num_timesteps
