"""Whether the run will be ended in time by itself, before the platform ends it."""

from __future__ import annotations

from kit.harness.deadline import format_duration
from kit.preflight.check import Check, Verdict, fails, passes
from kit.preflight.launching import Launching


def _look_at_limits(launching: Launching) -> Verdict:
    limits, platform = launching.limits, launching.platform
    ends = platform.session_limit_s
    saw = f"soft {format_duration(limits.soft_s)}, hard {format_duration(limits.hard_s)}"
    if ends is not None and limits.hard_s >= ends:
        where = platform.kind.capitalize()
        return fails(f"{saw}; {where} ends the session after {format_duration(ends)}, before the hard limit.")
    place = (
        f"{platform.kind} ends it after {format_duration(ends)}" if ends else "nothing here ends it sooner"
    )
    return passes(f"{saw}; {place}.")


LIMITS = Check(
    "Timeout monitor set",
    "A run was ended by the platform at 12 h with 21,734 of 24,000 steps done, and nothing could be saved.",
    "Leave out --soft-limit and --hard-limit, or set them below what the machine grants (--limit).",
    _look_at_limits,
)
