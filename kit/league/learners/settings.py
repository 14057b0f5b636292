"""LearnerSettings: what every learner is told, with the defaults of Unstable Baselines."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kit.errors import UnknownNameError, UsageError

LENGTH_CONSTANT, TOKEN_AVERAGE = "length-constant", "token-average"
LOSSES = (LENGTH_CONSTANT, TOKEN_AVERAGE)
_COUNTS = ("batch_size", "mini_batch_size", "max_generation_len")


@dataclass(frozen=True)
class LearnerSettings:
    """How a learner learns; only ``mini_batch_size`` and the two switches change nothing but time and memory.

    Attributes:
        batch_size: steps of one update; a learner of episodes gets whole ones, so many steps or just more.
        mini_batch_size: steps that pass through the model together.
        learning_rate: of AdamW.
        gradient_clipping: largest norm of all gradients together.
        max_train_len: tokens of prompt and answer that the loss sees, cut from the left of the prompt; None: all.
        max_generation_len: most tokens of an answer, by which the length-constant loss divides.
        activation_checkpointing: whether norms and activation functions are computed again in the backward pass.
        gradient_checkpointing: whether whole layers are.
        loss: LENGTH_CONSTANT divides an answer's log-probability by ``max_generation_len`` and by the number of
            steps in the batch (Dr. GRPO: Liu et al. 2025), so that no token counts for more in a short answer;
            TOKEN_AVERAGE divides the whole batch by its number of tokens.
        weight_decay: of AdamW, decoupled (Loshchilov & Hutter 2019); torch's default.
        momentum: β₁ of AdamW, in [0, 1): the share of the gradients' moving mean that stays. 0 suits games against
            oneself: what was best against the policies before drives it round in circles.
        halved_after: updates after which the learning rate is half of what it began with: it is learning_rate /
            (1 + updates / halved_after), the inverse-time decay of Robbins & Monro (1951), of every optimizer; None: it
            stays as it is.
        seed: of what is drawn at the beginning, such as a value head.
    """

    batch_size: int = 384
    mini_batch_size: int = 1
    learning_rate: float = 1e-5
    gradient_clipping: float = 0.2
    max_train_len: int | None = None
    max_generation_len: int = 4096
    activation_checkpointing: bool = True
    gradient_checkpointing: bool = True
    loss: str = LENGTH_CONSTANT
    weight_decay: float = 0.01
    momentum: float = 0.9
    halved_after: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise UnknownNameError("loss", self.loss, LOSSES)
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.max_train_len is not None and self.max_train_len < 1:
            raise UsageError(f"max_train_len must be at least 1, or None, not {self.max_train_len}.")
        positive_number("learning_rate", self.learning_rate)
        positive_number("gradient_clipping", self.gradient_clipping)
        if self.halved_after is not None:
            positive_number("halved_after", self.halved_after)
        if not 0.0 <= self.weight_decay < math.inf:
            raise UsageError(f"weight_decay must be at least 0, not {self.weight_decay}.")
        if not 0.0 <= self.momentum < 1.0:
            raise UsageError(f"momentum must be in [0, 1), not {self.momentum}.")

    def share_of_rate(self, updates: int) -> float:
        """Return what share of its learning rate an optimizer goes by after so many updates."""
        return 1.0 if self.halved_after is None else 1.0 / (1.0 + updates / self.halved_after)


def positive_number(name: str, value: float) -> None:
    """Refuse what is not a finite number above 0; raises UsageError, which names the setting."""
    if not 0.0 < value < math.inf:
        raise UsageError(f"{name} must be above 0 and finite, not {value}.")
