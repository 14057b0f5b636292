"""The adapter that is trained: its parameters by name, and the model with it switched on and open to gradients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from kit.errors import UsageError

if TYPE_CHECKING:
    from kit.lm.language_model import LanguageModel


def adapter_parameters(lm: LanguageModel, name: str) -> dict[str, torch.nn.Parameter]:
    """Return the parameters of the adapter ``name`` by their names in the module, in the module's order.

    Raises:
        UsageError: the model has no such adapter, or nothing of it can be trained.
    """
    wanted = {id(parameter) for parameter in lm.trainable(name)}
    found = {key: value for key, value in lm.module.named_parameters() if id(value) in wanted}
    if not found:
        raise UsageError(
            f"The model {lm.name} has nothing to train in an adapter {name!r}: call adapt() first."
        )
    return found


@contextmanager
def adapter_in_training(lm: LanguageModel, name: str) -> Iterator[None]:
    """Use the adapter ``name`` with gradients inside the block.

    The backward pass belongs inside it too: where layers are computed again, they are with the adapter in use then.
    Which adapter takes gradients is peft's to change whenever another one is used, so it is said here each time.
    """
    with lm.using(name):
        for parameter in lm.trainable(name):
            parameter.requires_grad_(True)
        yield
