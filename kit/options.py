"""How a session is run: where it writes, when it ends, how it logs. Nothing in here decides a result."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from kit.errors import UnknownNameError, UsageError
from kit.harness.cadence import Cadence
from kit.harness.deadline import Limits, parse_duration
from kit.harness.scaling import ON_PRESSURE, TIERS
from kit.harness.size import parse_size
from kit.launched import given_options


@dataclass(frozen=True)
class SessionOptions:
    """The options of a session; none of them is part of the config hash.

    Attributes:
        out: the run folder; empty for ``runs/<notebook>`` below the platform's output folder.
        soft_limit: finish at the next safe boundary after this long, a duration such as ``10.5h``; empty: default.
        hard_limit: finalise at once after this long; empty: default.
        session_limit: what the machine grants in all; gives the two above where they are empty.
        hang_limit: how long without a sign of life is a hang, at least; a duration.
        end_hang: end a run that hangs, after its stacks were written; by default the hard deadline does.
        memory_limit: stop, resumable, before the run holds more, such as ``12GB``; empty: what the machine has.
        disk_limit: prune, then stop, before the run folder with its archive holds more; empty: the platform's.
        on_pressure: ``report``, ``reduce`` (shrink the total so that the run completes) or ``tiers``.
        tiers: the totals that ``tiers`` chooses from, environment steps.
        fresh: move a run that is in the folder aside and start anew; attached inputs are not looked at.
        inputs: the folder in which a run of the same settings is looked for where the run folder holds none; empty:
            the attached inputs of the platform.
        must_resume: refuse to begin anew where no run to continue is found.
        cadence: how often to checkpoint and export.
        metrics_every: environment steps between two rows of metrics.csv.
        tensorboard: whether the exports keep a bounded TensorBoard log of metrics.csv.
        throttle: whether logs and prints go through the log throttle.
        threads: torch threads on a CPU.
        skip_checks: begin a run whatever the checks on the way into it say.
        trust: whether pickled state is opened that this machine's own runs did not write: opening it runs code.
    """

    out: str | Path = ""
    soft_limit: str | float = ""
    hard_limit: str | float = ""
    session_limit: str | float = ""
    hang_limit: str | float = "10m"
    end_hang: bool = False
    memory_limit: str | float = ""
    disk_limit: str | float = ""
    on_pressure: str = "report"
    tiers: tuple[int, ...] = TIERS
    fresh: bool = False
    inputs: str | Path = ""
    must_resume: bool = False
    cadence: Cadence = field(default_factory=Cadence)
    metrics_every: int = 500
    tensorboard: bool = False
    throttle: bool = True
    threads: int = 1
    skip_checks: bool = False
    trust: bool = False

    def __post_init__(self) -> None:
        if self.on_pressure not in ON_PRESSURE:
            raise UnknownNameError("on_pressure", self.on_pressure, ON_PRESSURE)
        for name in ("metrics_every", "threads"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)!r}.")

        if parse_duration(self.hang_limit) <= 0:
            raise UsageError(f"hang_limit must be more than zero, not {self.hang_limit!r}.")
        for name in ("memory_limit", "disk_limit"):
            if getattr(self, name) != "":
                parse_size(getattr(self, name), name)

    @classmethod
    def of(cls, **options: Any) -> SessionOptions:
        """Make them from keywords, and those that the command line handed over, which come first.

        Raises:
            UnknownNameError: there is no such option.
        """
        given = given_options()
        if "cadence" in given:
            given["cadence"] = replace(options.get("cadence", Cadence()), **given["cadence"])
        options |= given
        legal = [item.name for item in fields(cls)]
        for name in options:
            if name not in legal:
                raise UnknownNameError("session option", name, legal)
        return cls(**options)

    @property
    def limits_given(self) -> bool:
        """Whether any limit was set explicitly; it then counts from the launch of the command."""
        return any(value != "" for value in (self.soft_limit, self.hard_limit, self.session_limit))

    def limits(self, platform_limit_s: float | None) -> Limits:
        """Return the limits that hold, with those of the platform where none was given."""
        session: str | float | None = self.session_limit if self.session_limit != "" else None
        if session is None and not self.limits_given:
            session = platform_limit_s
        soft = self.soft_limit if self.soft_limit != "" else None
        hard = self.hard_limit if self.hard_limit != "" else None
        return Limits.resolve(soft, hard, session)
