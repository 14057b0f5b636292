"""Checks of memory: what is stated fits the cards that are named, and so do the states of training."""

from __future__ import annotations

from collections.abc import Iterator

from kit.timing.budget.findings import CONTRADICTION, Case, Finding, apart
from kit.timing.budget.memory_need import training_states
from kit.timing.budget.quantity import Quantity
from kit.timing.budget.show import show


def memory(case: Case) -> Iterator[Finding]:
    """The memory stated for each GPU is there on every card that is named."""
    for stage in case.plan.stages.values():
        stated, states = case.value(stage, "vram"), training_states(case.figures, stage.name)
        if stated is None or (states is not None and not apart(stated, states)):
            continue
        small = [card for card in stage.cards if (size := _card(case, card)) and stated.low > size.low]
        if small:
            named = ", ".join(f"{card} ({show(_card(case, card), 'GB')})" for card in small)
            text = f"{show(stated, 'GB')} does not fit a card that is named: {named}."
            yield case.finding(CONTRADICTION, "memory", f"{stage.name}.vram", text)


def training_memory(case: Case) -> Iterator[Finding]:
    """Weights, gradients and optimiser fit the cards, were they spread over them without loss."""
    for stage in case.plan.stages.values():
        states, gpus = training_states(case.figures, stage.name), case.value(stage, "gpus")
        if states is None or gpus is None:
            continue
        small = [
            card for card in stage.cards if (size := _card(case, card)) and states.low > size.low * gpus.low
        ]
        if small:
            each = show(case.value(stage, "bytes_per_parameter"), "B")
            parameters = show(case.value(stage, "parameters"), "Gparams")
            text = (
                f"{parameters} at {each} each (weights, gradients, optimiser) are {show(states, 'GB')} before any "
                f"activation: more than {show(gpus, 'GPU')} of {' or '.join(small)} holds."
            )
            yield case.finding(CONTRADICTION, "training_memory", f"{stage.name}.bytes_per_parameter", text)


def _card(case: Case, card: str) -> Quantity | None:
    return case.figures[f"cards.{card}.memory"].quantity
