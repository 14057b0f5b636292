"""Memory for gradients: what a backward pass needs and may compute again instead of keeping it; two switches.

They mean what docs/memory.md and its estimates mean by them. **Activation checkpointing** computes single modules
without parameters of the adapter's again: norms and activation functions. **Gradient checkpointing** is that of
transformers: every layer keeps its input and is computed again as a whole (Chen et al. 2016); it saves the most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from kit.errors import UsageError

ACTIVATION_FUNCTIONS = (torch.nn.SiLU, torch.nn.GELU, torch.nn.ReLU, torch.nn.Mish, torch.nn.Tanh)


@dataclass(frozen=True)
class GradientMemory:
    """The two switches, each on or off without the other; gradients are the same in all four ways.

    Attributes:
        activation_checkpointing: whether norms and activation functions are computed again.
        gradient_checkpointing: whether whole layers are.
    """

    activation_checkpointing: bool = True
    gradient_checkpointing: bool = True

    @contextmanager
    def training(self, module: Any) -> Iterator[None]:
        """Train ``module`` inside the block, forward and backward; afterwards everything is as it was.

        The network is the one that answers were drawn from: no dropout of the base model's is switched on, only that
        of the adapters, where they were given any. That is why this stands in place of ``module.train()``, without
        which transformers computes no layer again.

        Raises:
            UsageError: gradient checkpointing, of a model that does not offer it.
        """
        with ExitStack() as stack:
            if self.gradient_checkpointing:
                stack.enter_context(_layers_again(module))
            if self.activation_checkpointing:
                for part in filter(_is_small, list(module.modules())):
                    stack.enter_context(_forward_again(part))
            stack.enter_context(_in_training(_dropouts(module)))
            yield


def _is_small(module: torch.nn.Module) -> bool:
    """Return whether it is a norm or an activation function, by itself."""
    name = type(module).__name__
    function = isinstance(module, ACTIVATION_FUNCTIONS) or name.endswith("Activation")
    return (function or name.endswith("Norm")) and not list(module.children())


def _dropouts(module: torch.nn.Module) -> list[torch.nn.Module]:
    """Return the dropout modules of all adapters."""
    return [part for name, part in module.named_modules() if "lora_dropout" in name]


@contextmanager
def _in_training(parts: list[torch.nn.Module]) -> Iterator[None]:
    """Set the parts' own flag, and not that of what they contain."""
    were = [part.training for part in parts]
    for part in parts:
        part.training = True
    try:
        yield
    finally:
        for part, was in zip(parts, were, strict=True):
            part.training = was


@contextmanager
def _layers_again(module: Any) -> Iterator[None]:
    model = module.get_base_model() if hasattr(module, "get_base_model") else module
    already = _checkpointed(model)
    if already:  # somebody has switched it on, and may want it on later
        with _in_training(already):
            yield
        return
    _switch_on(model)
    try:
        with _in_training(_checkpointed(model)):
            yield
    finally:
        _method(model, "disable")()


def _checkpointed(model: torch.nn.Module) -> list[torch.nn.Module]:
    return [part for part in model.modules() if getattr(part, "gradient_checkpointing", False)]


def _switch_on(model: Any) -> None:
    try:
        _method(model, "enable")({"use_reentrant": False})
    except ValueError as error:
        kind = type(model).__name__
        raise UsageError(f"{kind} cannot compute its layers again: gradient_checkpointing=False.") from error
    model.disable_input_require_grads()  # only reentrant checkpoints need a gradient of the embedding's output


def _method(model: Any, what: str) -> Callable[..., None]:
    """Return transformers' method, which version 5 calls activation checkpointing and version 4 gradient."""
    newer = getattr(model, f"activation_checkpointing_{what}", None)
    found: Callable[..., None] = newer or getattr(model, f"gradient_checkpointing_{what}")
    return found


@contextmanager
def _forward_again(part: torch.nn.Module) -> Iterator[None]:
    """Have ``part`` keep its inputs alone. Nothing in it is random, so no generator's state is kept."""
    own, forward = part.__dict__.get("forward"), part.forward
    again = partial(checkpoint, forward, use_reentrant=False, preserve_rng_state=False)

    def either(*inputs: Any, **named: Any) -> Any:
        tensors = [*inputs, *part.parameters()]
        wanted = torch.is_grad_enabled() and any(getattr(one, "requires_grad", False) for one in tensors)
        return again(*inputs, **named) if wanted else forward(*inputs, **named)

    part.__dict__["forward"] = either
    try:
        yield
    finally:
        del part.__dict__["forward"]
        if own is not None:
            part.__dict__["forward"] = own
