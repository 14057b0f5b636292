"""A quantity in the words of the document: ``150–200 GPU-h``, four digits at most."""

from __future__ import annotations

import math

from kit.timing.budget.fields import Field
from kit.timing.budget.quantity import Quantity
from kit.timing.budget.units import GPU, GPU_TIME, PLAIN, SIZE, TIME

_OWN = {TIME: "h", SIZE: "GB", GPU_TIME: "GPU-h", GPU: "GPU", PLAIN: ""}


def show(quantity: Quantity | None, unit: str) -> str:
    """Return a quantity in ``unit``; ``unknown`` for None."""
    if quantity is None:
        return "unknown"
    low, high = quantity.in_unit(unit)
    number = digits(low) if digits(low) == digits(high) else f"{digits(low)}–{digits(high)}"
    return f"{number}{'' if unit in ('', 'x') else ' '}{'×' if unit == 'x' else unit}"


def digits(value: float, most: int = 4) -> str:
    """Write a number with up to ``most`` significant digits, thousands separated, no zeros at its end."""
    if value == 0:
        return "0"
    places = max(most - 1 - math.floor(math.log10(abs(value))), 0)
    text = f"{value:,.{min(places, 12)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def unit_of(field: Field | None, quantity: Quantity | None) -> str:
    """Return the unit that a figure is shown in; for an author's own the usual one of its dimension, or ``?``."""
    if field is not None:
        return field.unit
    return _OWN.get(quantity.dimension, "?") if quantity is not None else ""


def show_figure(field: Field | None, quantity: Quantity | None) -> str:
    """Return the value of a figure in its unit; in base units where its dimension has no unit of its own."""
    unit = unit_of(field, quantity)
    if unit == "?" and quantity is not None:
        return f"{digits(quantity.low)}–{digits(quantity.high)} {quantity.dimension}"
    return show(quantity, unit)
