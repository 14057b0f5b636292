"""AdapterOptimizer: AdamW over the parameters of an adapter, clipped by their common norm, saved with them."""

from __future__ import annotations

from typing import Any

import torch

from kit.errors import UsageError

SQUARES = 0.999
"""β₂ of AdamW: the share of the squared gradients' moving mean that stays; torch's default."""


class AdapterOptimizer:
    """Trains named parameters; its state holds them as well, so that a learner comes back bit for bit.

    Attributes:
        parameters: by name.
    """

    def __init__(
        self,
        parameters: dict[str, torch.nn.Parameter],
        *,
        learning_rate: float,
        gradient_clipping: float,
        weight_decay: float,
        momentum: float = 0.9,
    ) -> None:
        self.parameters, self._clipping = parameters, gradient_clipping
        self._learning_rate = learning_rate
        self._adamw = torch.optim.AdamW(
            parameters.values(), lr=learning_rate, betas=(momentum, SQUARES), weight_decay=weight_decay
        )

    @property
    def momentum(self) -> float:
        """β₁ of AdamW."""
        return float(self._adamw.param_groups[0]["betas"][0])

    @momentum.setter
    def momentum(self, value: float) -> None:
        for group in self._adamw.param_groups:
            group["betas"] = (value, SQUARES)

    @property
    def has_gradients(self) -> bool:
        """Whether there is any, be it zero."""
        return bool(self._gradients())

    def clear(self) -> None:
        """Drop all gradients, and their memory."""
        self._adamw.zero_grad(set_to_none=True)

    def divide(self, scale: float) -> None:
        """Divide all gradients by a loss scale."""
        if scale != 1.0:
            for gradient in self._gradients():
                gradient.mul_(1.0 / scale)

    @torch.no_grad()
    def norm(self) -> float:
        """Return the 2-norm of all gradients together; 0 where there are none, not finite where one is not."""
        norms = [torch.linalg.vector_norm(gradient.float()) for gradient in self._gradients()]
        return float(torch.linalg.vector_norm(torch.stack(norms))) if norms else 0.0

    @torch.no_grad()
    def step(self, norm: float, share: float = 1.0) -> None:
        """Scale gradients of that ``norm`` down to the largest that is allowed, and take a step.

        The step goes by ``share`` of the learning rate.
        """
        for group in self._adamw.param_groups:
            group["lr"] = share * self._learning_rate
        if norm > self._clipping:
            for gradient in self._gradients():
                gradient.mul_(self._clipping / norm)
        self._adamw.step()

    def _gradients(self) -> list[torch.Tensor]:
        return [one.grad for one in self.parameters.values() if one.grad is not None]

    def state_dict(self) -> dict[str, Any]:
        """Return copies of parameters, by name, and of AdamW's state."""
        weights = {name: one.detach().cpu().clone() for name, one in self.parameters.items()}
        state = self._adamw.state_dict()
        state["state"] = {
            number: {key: _copied(value) for key, value in entry.items()}
            for number, entry in state["state"].items()
        }
        return {"weights": weights, "adamw": state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what ``state_dict`` returned.

        Raises:
            UsageError: it is of another adapter: other names, or other shapes; nothing is changed.
        """
        weights = state["weights"]
        shapes = {name: tuple(one.shape) for name, one in self.parameters.items()}
        there = {name: tuple(one.shape) for name, one in weights.items()}
        if shapes != there:
            differ = sorted(name for name in shapes | there if shapes.get(name) != there.get(name))
            raise UsageError(f"The saved adapter is another one: {len(differ)} differ, such as {differ[0]}.")
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(weights[name])
        self._adamw.load_state_dict(state["adamw"])


def _copied(value: Any) -> Any:
    return value.detach().cpu().clone() if isinstance(value, torch.Tensor) else value
