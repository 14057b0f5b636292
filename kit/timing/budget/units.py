"""Units of a budget: time, GPUs, bytes, money and counted things, and what comes of multiplying them.

A dimension is the exponents of its bases. Counted things (samples, epochs, steps …), ``%`` and ``x`` have no dimension,
so that 3.6 s/sample × 10,000 samples is a time; what was counted is kept as a noun, for the fields that care.
"""

from __future__ import annotations

from dataclasses import dataclass

from kit.errors import UsageError, nearest_match

Dimension = tuple[tuple[str, int], ...]
PLAIN: Dimension = ()
TIME: Dimension = (("time", 1),)
GPU: Dimension = (("gpu", 1),)
SIZE: Dimension = (("byte", 1),)
GPU_TIME: Dimension = (("gpu", 1), ("time", 1))
CURRENCIES = ("USD", "EUR", "GBP", "CHF", "JPY", "INR")
COUNTED = ("sample", "prompt", "response", "step", "epoch", "seed", "task", "run", "core", "token", "param")


@dataclass(frozen=True)
class Unit:
    """A unit: how many base units it is (seconds, bytes, GPUs, money), its dimension, and what it counts."""

    factor: float
    dimension: Dimension
    noun: str = ""


def multiply(one: Dimension, other: Dimension, sign: int = 1) -> Dimension:
    """Return the dimension of a product, or with ``sign`` −1 of a quotient."""
    exponents = dict(one)
    for base, exponent in other:
        exponents[base] = exponents.get(base, 0) + sign * exponent
    return tuple(sorted((base, exponent) for base, exponent in exponents.items() if exponent))


def _table() -> dict[str, Unit]:
    table = {"%": Unit(0.01, PLAIN, "%"), "x": Unit(1.0, PLAIN, "x"), "Gparams": Unit(1e9, PLAIN, "params")}
    for names, seconds in (
        (("s", "second", "seconds"), 1.0),
        (("ms",), 1e-3),
        (("min", "minute", "minutes"), 60.0),
        (("h", "hour", "hours"), 3600.0),
        (("d", "day", "days"), 86_400.0),
        (("week", "weeks"), 604_800.0),
    ):
        table |= dict.fromkeys(names, Unit(seconds, TIME))
    table |= dict.fromkeys(("GPU-h", "GPU-hours"), Unit(3600.0, GPU_TIME))
    table["GPU-s"] = Unit(1.0, GPU_TIME)
    table |= dict.fromkeys(("GPU", "GPUs"), Unit(1.0, GPU))
    for power, letter in enumerate(("", "k", "M", "G", "T")):
        table[f"{letter}B"] = Unit(1000.0**power, SIZE)
        if letter:
            table[f"{letter.upper()}iB"] = Unit(1024.0**power, SIZE)
    table |= {currency: Unit(1.0, ((currency, 1),)) for currency in CURRENCIES}
    for noun in COUNTED:
        table |= dict.fromkeys((noun, f"{noun}s"), Unit(1.0, PLAIN, f"{noun}s"))
    return table


UNITS = _table()
LEGAL = f"s, min, h, d, GPU, GPU-h, kB, MB, GB, TB, GiB, %, x, {', '.join(CURRENCIES)}, samples, epochs, …"
EXAMPLES = {
    PLAIN: ("a count", "12"),
    TIME: ("a time", "10 h"),
    GPU: ("a number of GPUs", "2 GPU"),
    SIZE: ("a size", "30 GB"),
    GPU_TIME: ("GPU-hours", "2.5 GPU-h"),
    multiply(PLAIN, TIME, -1): ("a rate", "0.3 samples/s"),
} | {multiply(((name, 1),), GPU_TIME, -1): ("a price", f"0.4 {name}/GPU-h") for name in CURRENCIES}


def parse_unit(text: str) -> Unit:
    """Return the unit that ``text`` means: ``h``, ``GPU-h``, ``samples/s``, ``USD/GPU-h``; nothing is a plain count.

    Raises:
        UsageError: A part of it is no unit; names the legal ones and the nearest.
    """
    if not text:
        return Unit(1.0, PLAIN)
    above, slash, below = text.partition("/")
    top = _atom(above.strip(), text)
    if not slash:
        return top
    bottom = _atom(below.strip(), text)
    return Unit(top.factor / bottom.factor, multiply(top.dimension, bottom.dimension, -1))


def _atom(word: str, whole: str) -> Unit:
    if word in UNITS:
        return UNITS[word]
    same = [known for known in UNITS if known.casefold() == word.casefold()]
    nearest = same[0] if same else nearest_match(word, UNITS)
    hint = f" Did you mean {nearest!r}?" if nearest else ""
    raise UsageError(f"Unknown unit {word or whole!r}.{hint} Legal: {LEGAL}", nearest)


def in_words(dimension: Dimension) -> str:
    """Return what a dimension is called: ``a time``, ``GPU-hours``, ``time²·byte⁻¹`` as ``byte^-1·time^2``."""
    if dimension in EXAMPLES:
        return EXAMPLES[dimension][0]
    return "·".join(base if exponent == 1 else f"{base}^{exponent}" for base, exponent in dimension)
