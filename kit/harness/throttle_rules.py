"""Throttle rules: what may pass of a tag's log lines, as data, in code or in words.

A tag is what stands in brackets at the start of a line: ``[GPU_MEMORY] 812 MiB``. The words of a tag may be
joined by underscores, spaces or hyphens, in any case, and its last word may stand in the plural.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Literal, TypeAlias

from kit.errors import UsageError, nearest_match


@dataclass(frozen=True)
class EveryN:
    """Lines pass in one of every ``n`` environment steps, or one of every ``n`` lines.

    With ``unit="steps"`` the tag opens once in each block of ``n`` steps, for the first step that logs it,
    and closes after that step or after ten lines; until a step is ever told, lines are counted instead.

    Raises:
        UsageError: ``n`` is not a whole number of at least 1, or ``unit`` is neither ``steps`` nor ``calls``.
    """

    n: int
    unit: Literal["steps", "calls"] = "steps"

    def __post_init__(self) -> None:
        if isinstance(self.n, bool) or not isinstance(self.n, int) or self.n < 1:
            raise UsageError(f"EveryN needs a whole number of {self.unit} of at least 1, not {self.n!r}.")
        if self.unit not in ("steps", "calls"):
            raise UsageError(f"EveryN counts 'steps' or 'calls', not {self.unit!r}.", nearest="steps")

    def __str__(self) -> str:
        return f"every {self.n} {self.unit}"


@dataclass(frozen=True)
class OnChange:
    """A line passes when its value differs from the one before.

    The value is the word that follows ``key`` (``phase`` finds ``1`` in ``north → phase 1 GREEN``), kept
    apart for each subject, that is for each text before the key, digits aside; without a key, or in a line
    that lacks it, the value is the whole line.
    """

    key: str | None = None

    def __post_init__(self) -> None:
        if self.key is not None and not re.fullmatch(r"[A-Za-z_]\w*", self.key):
            raise UsageError(f"OnChange watches one word, such as 'phase', not {self.key!r}.")

    def __str__(self) -> str:
        return f"on change of {self.key}" if self.key else "on change"


@dataclass(frozen=True)
class LastOnly:
    """Nothing passes until the throttle is flushed; then the last line does."""

    def __str__(self) -> str:
        return "last only"


@dataclass(frozen=True)
class Share:
    """``percent`` of the lines pass (0 to 100), evenly spaced and by count: ⌈seen · percent / 100⌉ of them.

    Raises:
        UsageError: ``percent`` is not between 0 and 100.
    """

    percent: float

    def __post_init__(self) -> None:
        if not 0 <= self.percent <= 100:
            raise UsageError(f"Share needs a percentage from 0 to 100, not {self.percent!r}.")

    @property
    def fraction(self) -> Fraction:
        """The share as an exact fraction, so that 0.1 % is one line in a thousand and stays it."""
        return Fraction(str(self.percent)) / 100

    def __str__(self) -> str:
        return f"{self.percent:g} %"


@dataclass(frozen=True)
class PerSecond:
    """At most ``r`` lines, rounded down, pass in any one second; below 1, one line in any 1/r seconds.

    Raises:
        UsageError: ``r`` is not a positive, finite number.
    """

    r: float

    def __post_init__(self) -> None:
        if not 0 < self.r < float("inf"):
            raise UsageError(f"PerSecond needs a positive rate in lines a second, not {self.r!r}.")

    def __str__(self) -> str:
        return f"{self.r:g}/s"


Rule: TypeAlias = EveryN | OnChange | LastOnly | Share | PerSecond

INCIDENT_POLICY: Mapping[str, Rule] = MappingProxyType(
    {
        "REWARD_MICROSCOPE": EveryN(100),
        "BC UPDATE": OnChange("phase"),
        "QUEUE_DIAGNOSTIC": EveryN(250),
        "GPU_MEMORY": Share(10),
        "STATE_HASH": LastOnly(),
        "SIMULATION_WARNING": Share(1),
    }
)
"""What the Kaggle timing analysis asks of the run that drowned in 38 lines a step."""

_FORMS = (
    "every {n} steps",
    "every {n} calls",
    "on change",
    "on change of phase",
    "last only",
    "{n} %",
    "{n}/s",
)
_NUMBER = r"(\d+(?:\.\d+)?|\.\d+)"
_EVERY = re.compile(r"every\s+(\d+)\s+(step|call|line)s?")
_CHANGE = re.compile(r"on\s+change(?:\s+of\s+(\w+))?")
_SHARE = re.compile(_NUMBER + r"\s*(?:%|percent)")
_RATE = re.compile(_NUMBER + r"\s*(?:/\s*s|per\s+second|a\s+second)")


def parse_rule(text: str) -> Rule:
    """Return the rule that ``text`` says, such as ``every 100 steps``, ``on change``, ``10 %`` or ``5/s``.

    Raises:
        UsageError: ``text`` is none of the forms, or its number is out of range; names the nearest form.
    """
    words = " ".join(text.split()).lower()
    if match := _EVERY.fullmatch(words):
        return EveryN(int(match[1]), "steps" if match[2] == "step" else "calls")
    if match := _CHANGE.fullmatch(words):
        return OnChange(match[1])
    if words == "last only":
        return LastOnly()
    if match := _SHARE.fullmatch(words):
        return Share(float(match[1]))
    if match := _RATE.fullmatch(words):
        return PerSecond(float(match[1]))
    number = re.search(_NUMBER, words)
    legal = [form.format(n=number[0] if number else 10) for form in _FORMS]
    nearest = nearest_match(words, legal)
    hint = f" Did you mean {nearest!r}?" if nearest else ""
    raise UsageError(f"Unknown throttle rule {text!r}.{hint} Legal: {', '.join(legal)}.", nearest)


def canonical_tag(tag: str) -> str:
    """Return ``tag`` in one spelling: ``GPU memory`` and ``GPU_MEMORY`` both give ``gpu memory``."""
    words = re.sub(r"[\s_-]+", " ", tag).strip().lower()
    if words.endswith(("shes", "ches", "sses", "xes")):
        return words[:-2]
    if words.endswith("s") and not words.endswith(("ss", "us", "is")):
        return words[:-1]
    return words
