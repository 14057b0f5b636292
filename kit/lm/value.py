"""ValueModel: what a state is worth, by an adapter of its own on the policy's backbone and a head of one number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from kit.errors import UsageError
from kit.lm.adapter import adapter_in_training, adapter_parameters
from kit.lm.devices import seeded
from kit.lm.head_positions import last_hidden
from kit.lm.padding import cut_left, padded

if TYPE_CHECKING:
    from kit.lm.language_model import LanguageModel
    from kit.lm.lora import LoraSettings

CRITIC = "critic"
HEAD = "value_head"


class ValueModel:
    """V(state) = w · h + b, with h the last hidden state (H,) at the **last** token of the state's prompt, in fp32.

    Attention is causal: position 0 sees the first token alone, which all states of a game share, and would be worth
    the same in each of them. The head begins with w ~ N(0, 1/(H+1)²), b = 0, so that values begin near zero.

    Attributes:
        name: of the adapter.
        head: the linear map, H to 1, always fp32.
    """

    def __init__(self, lm: LanguageModel, lora: LoraSettings, *, seed: int = 0, name: str = CRITIC) -> None:
        lm.adapt(lora, name=name, seed=seed)
        self._lm, self.name, self._open = lm, name, 0
        config: Any = lm.module.config
        hidden = int(config.hidden_size)
        with seeded(seed), torch.no_grad():
            self.head = torch.nn.Linear(hidden, 1, dtype=torch.float32)
            self.head.weight.normal_(0.0, 1.0 / (hidden + 1))
            self.head.bias.zero_()
        self.head.to(lm.device)

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """Return what is trained, by name: the adapter's parameters and the head's."""
        head = {f"{HEAD}.{key}": value for key, value in self.head.named_parameters()}
        return adapter_parameters(self._lm, self.name) | head

    @contextmanager
    def using(self) -> Iterator[None]:
        """Switch the critic's adapter on; values are computed, and their gradients taken, inside the block."""
        self._open += 1
        try:
            with adapter_in_training(self._lm, self.name):
                yield
        finally:
            self._open -= 1

    def values(self, states: Sequence[Sequence[int]], *, max_length: int | None = None) -> torch.Tensor:
        """Return the values (B,) of ``states``, the token ids of their prompts, differentiably.

        Args:
            states: one row each; no row's value depends on the others, up to rounding.
            max_length: tokens of a state that are looked at, its last ones.

        Raises:
            UsageError: outside ``using()``, where another adapter's hidden states would be read.
            ContextLengthError: a state is longer than the model's context.
        """
        if not self._open:
            raise UsageError("values() has to be called inside using(), and its backward pass too.")
        kept = [cut_left(state, max_length) for state in states]
        hidden = last_hidden(self._lm.module, padded(self._lm, kept))
        ends = torch.tensor([len(state) - 1 for state in kept], device=hidden.device)
        at_end = hidden[torch.arange(len(kept), device=hidden.device), ends]
        return self.head(at_end.float()).squeeze(-1)  # type: ignore[no-any-return]

    @torch.no_grad()
    def infer(
        self,
        states: Sequence[Sequence[int]],
        *,
        batch: int,
        max_length: int | None = None,
        on_batch: Callable[[], object] = lambda: None,
    ) -> list[float]:
        """Return the values of ``states`` without gradients, ``batch`` of them at a time; ``on_batch`` after each."""
        found: list[float] = []
        with self.using():
            for start in range(0, len(states), batch):
                found += self.values(states[start : start + batch], max_length=max_length).tolist()
                on_batch()
        return found
