"""Soft and hard deadlines: durations as people write them, a session's limits, and how much is left of them.

The soft deadline asks the run to stop at its next safe boundary (by default 10.5 h into a session of 12 h);
the hard deadline finalises at once (11 h 50 m). Both are absolute monotonic times, so that the watchdog's
process and the training process mean the same instant.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from kit.errors import UsageError
from kit.harness.clock import SYSTEM_CLOCK, Clock

HOUR_S = 3600.0
DEFAULT_SESSION_S = 12 * HOUR_S
DEFAULT_SOFT_S = 10.5 * HOUR_S
DEFAULT_HARD_S = 11 * HOUR_S + 50 * 60.0
SOFT_SHARE = DEFAULT_SOFT_S / DEFAULT_SESSION_S
"""0.875: the soft deadline as a share of a session limit."""
HARD_SHARE = DEFAULT_HARD_S / DEFAULT_SESSION_S
"""0.986: the hard deadline as a share of a session limit (71/72: 12 h give 11 h 50 m to the second)."""

LEGAL_FORMS = "20, 20s, 90m, 10.5h, 11h50m, 1h30m10s (a bare number is seconds)"
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_BARE = re.compile(_NUMBER)
_PARTS = re.compile(rf"(?:({_NUMBER})h)?(?:({_NUMBER})m)?(?:({_NUMBER})s)?")


def parse_duration(text: str | float) -> float:
    """Return the seconds that ``text`` means: ``20``, ``20s``, ``90m``, ``10.5h``, ``11h50m``, ``1h30m10s``.

    Raises:
        UsageError: Not a duration, negative, or not finite; the message names the value and the legal forms.
    """
    if isinstance(text, bool):
        raise _not_a_duration(text)
    if isinstance(text, int | float):
        return _checked(float(text), text)
    compact = re.sub(r"\s+(?=[hms]|$)|(?<=[hms])\s+|^\s+", "", text.lower())
    if _BARE.fullmatch(compact):
        return _checked(float(compact), text)
    match = _PARTS.fullmatch(compact)
    if not compact or match is None:
        raise _not_a_duration(text)
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return _checked(hours * HOUR_S + minutes * 60.0 + seconds, text)


def _checked(seconds: float, given: object) -> float:
    if not math.isfinite(seconds) or seconds < 0:
        raise _not_a_duration(given)
    return seconds


def _not_a_duration(given: object) -> UsageError:
    # "10.5 hours", "90min" and "1h 30 minutes" are near enough to say what was probably meant.
    pairs = re.findall(rf"({_NUMBER})\s*([hms])", str(given).lower())
    nearest = "".join(number + unit for number, unit in pairs) or None
    if nearest is not None and not _PARTS.fullmatch(nearest):
        nearest = None
    hint = f" Did you mean {nearest!r}?" if nearest else ""
    return UsageError(f"Not a duration: {given!r}.{hint} Legal: {LEGAL_FORMS}.", nearest)


def format_duration(seconds: float) -> str:
    """Write ``seconds`` as ``parse_duration`` reads them: ``11h50m``, ``3h21m35s``, ``20s``, ``0.25s``.

    From a minute on it rounds to whole seconds, below to milliseconds; a negative value gets a leading minus.
    """
    if not math.isfinite(seconds):
        return str(seconds)
    sign, size = ("-" if seconds < 0 else ""), abs(seconds)
    if round(size, 3) < 60:
        return f"{sign}{round(size, 3):g}s"
    minutes, whole = divmod(round(size), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (whole, "s"))
    return sign + "".join(f"{value}{unit}" for value, unit in parts if value)


@dataclass(frozen=True)
class Limits:
    """How long a session may last, in seconds from its beginning. ``session_s`` is None where not given."""

    soft_s: float = DEFAULT_SOFT_S
    hard_s: float = DEFAULT_HARD_S
    session_s: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("soft", self.soft_s), ("hard", self.hard_s), ("session", self.session_s)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise UsageError(f"The {name} limit must be longer than zero, not {value} s.")
        if self.soft_s >= self.hard_s:
            raise UsageError(
                f"The soft limit ({format_duration(self.soft_s)}) must come before the hard limit "
                f"({format_duration(self.hard_s)}): the time between them is for finishing."
            )
        if self.session_s is not None and self.hard_s > self.session_s:
            raise UsageError(
                f"The hard limit ({format_duration(self.hard_s)}) lies past the end of the session "
                f"({format_duration(self.session_s)}): it would never be reached."
            )

    @classmethod
    def resolve(
        cls,
        soft: str | float | None = None,
        hard: str | float | None = None,
        session: str | float | None = None,
    ) -> Limits:
        """Fill in what was not given, each a duration as :func:`parse_duration` reads it.

        A session limit L means soft 0.875 L and hard 0.986 L. With only a hard limit, the soft one moves
        before it (the same share, at most the default). With only a soft limit the hard one stays, and
        moves behind it when the soft one asks for more than the default hard limit and no session limit
        forbids that.

        Raises:
            UsageError: Not a duration, zero, soft not before hard, or hard past the session.
        """
        soft_s, hard_s, session_s = (None if t is None else parse_duration(t) for t in (soft, hard, session))
        length_s = DEFAULT_SESSION_S if session_s is None else session_s
        if hard_s is None:
            hard_s = HARD_SHARE * length_s
            if soft_s is not None and session_s is None and soft_s >= hard_s:
                hard_s = soft_s * HARD_SHARE / SOFT_SHARE
            if soft_s is None:
                soft_s = SOFT_SHARE * length_s
        if soft_s is None:
            soft_s = min(SOFT_SHARE * length_s, hard_s * SOFT_SHARE / HARD_SHARE)
        return cls(soft_s, hard_s, session_s)


class Deadline:
    """How much of a session is left. ``began_monotonic`` is on the shared monotonic clock."""

    def __init__(self, limits: Limits, began_monotonic: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self.limits, self.began_monotonic, self.clock = limits, began_monotonic, clock

    @property
    def soft_at(self) -> float:
        """The soft deadline as an absolute monotonic time."""
        return self.began_monotonic + self.limits.soft_s

    @property
    def hard_at(self) -> float:
        """The hard deadline as an absolute monotonic time."""
        return self.began_monotonic + self.limits.hard_s

    def elapsed_s(self) -> float:
        """Seconds since the session began."""
        return self.clock.monotonic() - self.began_monotonic

    def soft_left_s(self) -> float:
        """Seconds to the soft deadline; negative once it is past."""
        return self.soft_at - self.clock.monotonic()

    def hard_left_s(self) -> float:
        """Seconds to the hard deadline; negative once it is past."""
        return self.hard_at - self.clock.monotonic()
