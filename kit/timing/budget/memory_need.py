"""The memory that each GPU of a stage needs at least: what is stated, or the states of training, if those are more."""

from __future__ import annotations

from kit.timing.budget.figures import Figures
from kit.timing.budget.quantity import Quantity


def training_states(figures: Figures, stage: str) -> Quantity | None:
    """Return the bytes of weights, gradients and optimiser, parameters × bytes a parameter; None where not given.

    With Adam in mixed precision that is 16 B a parameter: 2 weights, 2 gradients, 4 master weights, 8 moments
    (Rajbhandari et al., ZeRO, 2020).
    """
    parameters = _quantity(figures, f"{stage}.parameters")
    each = _quantity(figures, f"{stage}.bytes_per_parameter")
    return parameters * each if parameters and each else None


def memory_need(figures: Figures, stage: str) -> Quantity | None:
    """Return the bytes that each GPU needs, the states spread evenly; None where nothing is stated."""
    stated, states = _quantity(figures, f"{stage}.vram"), training_states(figures, stage)
    gpus = _quantity(figures, f"{stage}.gpus")
    if states is None or gpus is None:
        return stated
    spread = Quantity(states.low / gpus.high, states.high / gpus.low, states.dimension)
    return spread if stated is None or stated.low < spread.low else stated


def _quantity(figures: Figures, name: str) -> Quantity | None:
    return figures[name].quantity if name in figures else None
