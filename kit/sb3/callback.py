"""The harness at stable-baselines3's boundaries: measures, keeps safe and stops, always between two rollouts."""

from __future__ import annotations

import io
import logging
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from kit.sb3.evaluation import Evaluation
from kit.sb3.normalisation import normalisation_files
from kit.sb3.state import ExactState, losses
from kit.session import TrainingSession

logger = logging.getLogger(__name__)


class SessionCallback(BaseCallback):
    """Drives a TrainingSession from ``learn``.

    All work is done in ``on_rollout_start``, the only point at which a capture continues bit for bit: metrics and
    evaluation that are due by steps, then whatever the session finds due by time. ``on_step`` is a hot path and
    only answers whether to go on.
    """

    def __init__(
        self,
        session: TrainingSession,
        state: ExactState,
        evaluation: Evaluation | None,
        restored: dict[str, Any] | None,
    ) -> None:
        super().__init__()
        self._session = session
        self._state = state
        self._evaluation = evaluation
        self._restored = restored
        self._go = True
        self._log_steps = session.log.steps
        self._timer = session.timer
        self._updates = 0
        self._steps = 0
        self._starts = 0
        self._whole_rollouts = False
        self._every = session.metrics_every
        self._measured, self._evaluated, self._best = 0, 0, None
        if restored is not None:
            marks = restored["callback"]
            self._measured, self._evaluated, self._best = marks["measured"], marks["evaluated"], marks["best"]
        self._next = self._next_measurement()

    def _init_callback(self) -> None:
        # Here too: where the total was reached before a kill, learn() is not called and no rollout starts.
        if self._restored is not None:
            self._state.restore_late(self._restored["model"])

    def _on_step(self) -> bool:
        return self._go

    def on_step(self) -> bool:
        """Whether to go on; nothing else, since this runs at every step.

        An on-policy rollout is finished once begun, or its steps would never be trained on.
        """
        return self._go and (self._whole_rollouts or self.model.num_timesteps < self._session.total_timesteps)

    def _on_training_start(self) -> None:
        self._steps, self._updates = self.model.num_timesteps, int(getattr(self.model, "_n_updates", 0))
        self._starts = int(getattr(self.model, "learning_starts", 0))
        self._whole_rollouts = isinstance(self.model, OnPolicyAlgorithm)
        self._timer.count_with(self._account)

    def on_rollout_start(self) -> None:
        """Measure, keep safe and stop, as is due. Where a rollout is one step, this runs as often as one."""
        step = self.model.num_timesteps
        if self._restored is not None:
            self._state.restore_late(self._restored["model"])
            self._restored = None
        elif step >= self._next:
            self.measure()
        if step >= self._log_steps.next:
            self._session.log.step(step)
        # A reduced total may lie before the one that SB3 was given.
        if not self._session.boundary(step, self.capture) or step >= self._session.total_timesteps:
            self._go = False
        self._timer.switch("rollout" if step >= self._starts else "collect")

    def on_rollout_end(self) -> None:
        """What follows is the update."""
        self._timer.switch("update")

    def _account(self) -> None:
        """Credit the phases with the environment and gradient steps since the last time."""
        timer, step = self._timer, self.model.num_timesteps
        collected = max(0, min(step, self._starts) - self._steps)
        timer.add_count("collect", collected)
        timer.add_count("rollout", step - self._steps - collected)
        updates = int(getattr(self.model, "_n_updates", 0))
        timer.add_count("update", updates - self._updates)
        self._steps, self._updates = step, updates

    def _next_measurement(self) -> int:
        """The environment step from which the next row is due: a multiple of its interval past the last one."""
        row = (self._measured // self._every + 1) * self._every
        if self._evaluation is None:
            return row
        every = self._evaluation.every
        return min(row, (self._evaluated // every + 1) * every)

    def _evaluation_due(self, step: int) -> bool:
        evaluation = self._evaluation
        return evaluation is not None and step // evaluation.every > self._evaluated // evaluation.every

    def measure(self, *, final: bool = False) -> None:
        """Write one row of metrics, with an evaluation where one is due (always at the end)."""
        step = self.model.num_timesteps
        row = self._training_metrics()
        if self._evaluation is not None and (
            self._evaluation_due(step) or (final and self._evaluated < step)
        ):
            row.update(self._evaluate(step))
        if step > self._measured:
            self._session.record_row(step, row)
        self._measured = step
        self._next = self._next_measurement()

    def _training_metrics(self) -> dict[str, float | None]:
        episodes = self.model.ep_info_buffer or ()
        row: dict[str, float | None] = {
            "episode_reward": sum(float(e["r"]) for e in episodes) / len(episodes) if episodes else None,
            "episode_length": sum(float(e["l"]) for e in episodes) / len(episodes) if episodes else None,
        }
        row.update(losses(self.model))
        if hasattr(self.model, "exploration_rate"):
            row["exploration_rate"] = float(self.model.exploration_rate)
        return row

    def _evaluate(self, step: int) -> dict[str, float]:
        evaluation, session = self._evaluation, self._session
        assert evaluation is not None
        with session.phase("evaluate", count=evaluation.episodes):
            found = {name: float(value) for name, value in evaluation.run(self.model).items()}
        self._evaluated = step
        value = found[evaluation.metric]
        better = evaluation.better(value, self._best)
        logger.info(
            "Step %s: %s %.4g%s", f"{step:,}", evaluation.metric, value, ", the best so far" if better else ""
        )
        if better:
            self._best = value
            content = io.BytesIO()
            self.model.save(content)
            session.outputs.save_best(
                step,
                content.getvalue(),
                name="model.zip",
                metric=evaluation.metric,
                value=value,
                beside=normalisation_files(self.model.get_env()),
            )
        return {f"eval_{name}": value for name, value in found.items()}

    def capture(self) -> dict[str, Any]:
        """Return the tree of the whole run: the model and what this callback remembers."""
        marks = {"measured": self._measured, "evaluated": self._evaluated, "best": self._best}
        model = self._state.capture()
        if self._state.reason is not None and self._session.exact:
            self._session.inexact(self._state.reason)
        return {"model": model, "callback": marks}

    def finish(self) -> None:
        """Training has reached its total: measure the end and take the last checkpoint."""
        self.measure(final=True)
        self._session.training_done(self.model.num_timesteps, self.capture)
