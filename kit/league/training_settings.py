"""TrainingSettings: what ``build()`` was told of how the policy learns: algorithm, batches, rewards and memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kit.errors import UsageError
from kit.league.setting_checks import number, whole_number

if TYPE_CHECKING:
    from kit.league.reward_transforms import (
        FinalRewardTransform,
        SamplingRewardTransform,
        StepRewardTransform,
    )

_OPTIONAL = ("max_train_len", "buffer_size")


@dataclass(frozen=True)
class TrainingSettings:
    """How the policy learns.

    Attributes:
        algorithm: ``reinforce``, ``a2c``, or the name of a learner of one's own (``register_learner``).
        algorithm_config: for the learner's ``initialize_algorithm``.
        max_train_len: tokens of prompt and answer that the loss sees; None: all. It limits training only.
        batch_size: steps of an update.
        mini_batch_size: steps that go through the model together; changes time and memory only.
        learning_rate: of AdamW.
        gradient_clipping: largest norm of the gradient.
        activation_checkpointing: compute activations again in the backward pass.
        gradient_checkpointing: and whole layers.
        buffer_size: steps that the buffer holds; None: two batches.
        final_reward_transformation: of a player's reward at the end; None: its mean by role and game taken off.
        step_reward_transformation: of each step; None: 1.5 for the form, 1 for a legal and −1 for an illegal move; for
            a learner of episodes such as A2C, which sums them, 0 for a good move, −1.5 for a wrong form and −2 for an
            illegal move, so that long games earn nothing by their length.
        sampling_reward_transformation: of a batch; None: z-scores by game; for a learner of episodes none (A2C
            normalises its advantages).
    """

    algorithm: str = "reinforce"
    algorithm_config: Mapping[str, Any] = field(default_factory=dict)
    max_train_len: int | None = None
    batch_size: int = 384
    mini_batch_size: int = 1
    learning_rate: float = 1e-5
    gradient_clipping: float = 0.2
    activation_checkpointing: bool = True
    gradient_checkpointing: bool = True
    buffer_size: int | None = None
    final_reward_transformation: FinalRewardTransform | None = None
    step_reward_transformation: StepRewardTransform | None = None
    sampling_reward_transformation: SamplingRewardTransform | None = None

    def __post_init__(self) -> None:
        for name in ("batch_size", "mini_batch_size", *_OPTIONAL):
            value = getattr(self, name)
            if value is not None or name not in _OPTIONAL:
                whole_number(name, value, 1)
        for name in ("learning_rate", "gradient_clipping"):
            number(name, getattr(self, name))
        if self.capacity < self.batch_size:
            raise UsageError(
                f"buffer_size must be at least batch_size, {self.batch_size}, not {self.buffer_size}: a batch would "
                "never be there."
            )

    @property
    def capacity(self) -> int:
        """Steps that the buffer holds."""
        return 2 * self.batch_size if self.buffer_size is None else self.buffer_size
