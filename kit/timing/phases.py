"""Where the time of a run goes: a stopwatch that is always in exactly one phase."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass

from kit.harness.clock import SYSTEM_CLOCK, Clock

COMPILE = "compile"
"""What is compiled once for all processes of a machine; see ``kit.timing.compiling``."""
PHASES = (
    "setup",
    "warm_up",
    COMPILE,
    "collect",
    "rollout",
    "update",
    "evaluate",
    "checkpoint",
    "export",
    "finalise",
)
CPU_SAMPLE_EVERY = 32
LONG_VISIT_S = 1e-3
"""Visits of a phase that take longer on average have their CPU time read each time: it costs nothing beside them."""


@dataclass
class Phase:
    """The account of one phase; ``count`` is in its own unit: environment steps, gradient steps, episodes."""

    name: str
    count: float = 0.0
    total_s: float = 0.0
    sampled_wall_s: float = 0.0
    sampled_cpu_s: float = 0.0
    visits: int = 0

    @property
    def cpu_s(self) -> float:
        """CPU seconds of this process in the phase, scaled up from the visits on which it was read."""
        if self.sampled_wall_s <= 0:
            return 0.0
        return self.total_s * self.sampled_cpu_s / self.sampled_wall_s

    def as_row(self) -> dict[str, float | str]:
        """Return ``{name, count, total_s, mean_s, cpu_s}``; ``mean_s`` is seconds for one unit of ``count``."""
        mean = self.total_s / self.count if self.count else 0.0
        return {
            "name": self.name,
            "count": self.count,
            "total_s": self.total_s,
            "mean_s": mean,
            "cpu_s": self.cpu_s,
        }


@dataclass
class Nesting:
    """A phase inside another, over all its visits there; ``total_s`` includes what is nested in it in turn."""

    name: str
    inside: str
    visits: int = 0
    count: float = 0.0
    total_s: float = 0.0


class _Inside:
    """One visit of a nested phase; a class, since a generator's context manager takes twice as long."""

    __slots__ = ("_count", "_name", "_outer", "_since", "_timer")

    def __init__(self, timer: PhaseTimer, name: str, count: float) -> None:
        self._timer, self._name, self._count = timer, name, count

    def __enter__(self) -> None:
        timer = self._timer
        self._outer = timer._current.name
        timer.switch(self._name)
        self._since = timer._since

    def __exit__(self, *_error: object) -> None:
        timer = self._timer
        timer.switch(self._outer, self._count)
        key = (self._outer, self._name)
        nesting = timer._nested.get(key)
        if nesting is None:
            nesting = timer._nested[key] = Nesting(self._name, self._outer)
        nesting.visits += 1
        nesting.count += self._count
        nesting.total_s += timer._since - self._since


class PhaseTimer:
    """Attributes every instant to one phase; nested phases are exclusive of each other.

    ``switch`` is for hot paths (rollout and update may alternate several times a millisecond): where visits of a phase
    are short it reads the CPU clock only on every 32nd of them, since that is a system call.
    """

    def __init__(
        self, clock: Clock = SYSTEM_CLOCK, initial: str = "setup", began: float | None = None
    ) -> None:
        self._clock = clock
        self._now: Callable[[], float] = clock.monotonic
        self.phases: dict[str, Phase] = {}
        self._nested: dict[tuple[str, str], Nesting] = {}
        self._current = self._phase(initial)
        self._since = clock.monotonic() if began is None else began
        self._cpu_since: float | None = 0.0 if began is not None else clock.cpu()
        self._current.visits = 1
        self._counters: list[Callable[[], None]] = []

    @property
    def current(self) -> str:
        """The phase that the clock runs for now."""
        return self._current.name

    def _phase(self, name: str) -> Phase:
        phase = self.phases.get(name)
        if phase is None:
            phase = self.phases[name] = Phase(name)
        return phase

    def switch(self, name: str, count: float = 0.0) -> None:
        """End the current phase, crediting it with ``count`` units, and enter ``name``."""
        now = self._now()
        current = self._current
        elapsed = now - self._since
        current.total_s += elapsed
        current.count += count
        self._since = now
        phase = self.phases.get(name) or self._phase(name)
        visits = phase.visits
        sample = visits % CPU_SAMPLE_EVERY == 0 or phase.total_s > visits * LONG_VISIT_S
        phase.visits = visits + 1
        if sample or self._cpu_since is not None:
            cpu = self._clock.cpu()
            if self._cpu_since is not None:
                current.sampled_cpu_s += cpu - self._cpu_since
                current.sampled_wall_s += elapsed
            self._cpu_since = cpu if sample else None
        self._current = phase

    def phase(self, name: str, count: float = 1.0) -> AbstractContextManager[None]:
        """Be in ``name`` inside the block (``count`` units of it), then back in the phase before."""
        return _Inside(self, name, count)

    def nesting(self) -> list[dict[str, float | str]]:
        """Return which phases were entered inside which: ``{name, inside, visits, count, total_s}``.

        ``total_s`` is the whole time of the visits, where ``rows`` gives each phase its own alone; one row for each
        pair, in the order in which they were first left.
        """
        return [asdict(nested) for nested in self._nested.values()]

    def add_count(self, name: str, count: float) -> None:
        """Credit a phase with units done, apart from its time."""
        self._phase(name).count += count

    def count_with(self, counter: Callable[[], None]) -> None:
        """Have ``counter`` credit its units (``add_count``) whenever they are read, not on the hot path."""
        self._counters.append(counter)

    def rows(self) -> list[dict[str, float | str]]:
        """Return a row a phase up to this instant, in the order of PHASES, others after them."""
        self.switch(self._current.name)
        for counter in self._counters:
            counter()
        known: Sequence[str] = [name for name in PHASES if name in self.phases]
        others = [name for name in self.phases if name not in PHASES]
        return [self.phases[name].as_row() for name in [*known, *others]]
