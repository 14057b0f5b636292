"""Quantities in words: durations, sizes and counts as a person would write them."""

from __future__ import annotations

import math


def number(value: float, digits: int = 3) -> str:
    """Write a number with about ``digits`` significant digits and thousands separated, never as 1e+04."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if magnitude >= 9 or magnitude < -4:
        return f"{value:.{max(digits - 1, 0)}e}"
    return f"{value:,.{max(digits - 1 - magnitude, 0)}f}".replace("-", "−")


def decimal(value: float) -> str:
    """Write a number to one place, so that many can be compared; from 1,000 on as ``number``."""
    return number(value) if not abs(value) < 1e3 else f"{value:.1f}".replace("-", "−")


def count(value: float) -> str:
    """Write a whole number with thousands separated."""
    return f"{value:,.0f}" if math.isfinite(value) else "–"


def duration(seconds: float) -> str:
    """Write a duration given in seconds: ``340 µs``, ``12 ms``, ``8.4 s``, ``5 min 12 s``, ``3 h 21 min``."""
    if not math.isfinite(seconds):
        return "–"
    if seconds < 0:
        return "−" + duration(-seconds)
    for limit, factor, unit in ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if 0 < seconds < limit:
            return f"{number(seconds * factor, 2)} {unit}"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"


def size(n_bytes: float) -> str:
    """Write a size given in bytes, in powers of a thousand: ``812 B``, ``34.0 MB``."""
    for limit, unit in ((1e3, "B"), (1e6, "kB"), (1e9, "MB"), (1e12, "GB")):
        if n_bytes < limit:
            return f"{n_bytes / (limit / 1e3):,.{0 if unit == 'B' else 1}f} {unit}"
    return f"{n_bytes / 1e12:,.1f} TB"


def share(part: float, whole: float) -> str:
    """Write what percentage of ``whole`` the ``part`` is; ``<1 %`` rather than a zero that is none."""
    percent = 100 * part / whole if whole else 0.0
    return "<1 %" if 0 < percent < 0.5 else f"{percent:.0f} %"


def plural(n: int, noun: str) -> str:
    """Write ``1 seed`` and ``20 seeds``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
