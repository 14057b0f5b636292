"""The evaluation on test seeds as ``results.json`` holds it: the controllers, their differences, the hour.

The file comes from a notebook, so nothing of it is taken on trust: every part is checked, a part that is not
what it should be is left out, and the reader is told. Differences are taken anew from the seeds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kit.report.intervals import Interval, mean_interval

T = TypeVar("T")


@dataclass(frozen=True)
class ControllerResult:
    """What one controller reached, a value per test seed: delay in s per vehicle, mean queue in vehicles."""

    name: str
    delay_s: tuple[float, ...]
    queue_veh: tuple[float, ...] = ()
    unfinished: tuple[float, ...] = ()
    seeds: tuple[float, ...] = ()

    @property
    def delay(self) -> Interval:
        """The mean delay over the seeds, s per vehicle, with its 95 % interval."""
        return mean_interval(self.delay_s)

    @property
    def queue(self) -> Interval:
        """The mean queue over the seeds, vehicles, with its 95 % interval."""
        return mean_interval(self.queue_veh)

    @property
    def mean_unfinished(self) -> float:
        """Vehicles that had not left when the hour was over, mean over the seeds; NaN where not counted."""
        return mean_interval(self.unfinished).mean


@dataclass(frozen=True)
class Series:
    """One controller over the hour, mean over the test seeds; all three of equal length."""

    controller: str
    time_s: tuple[float, ...]
    queue_veh: tuple[float, ...]
    delay_s: tuple[float, ...]


@dataclass(frozen=True)
class Evaluation:
    """Every controller, the lowest mean delay first; ``agent`` is the trained one, or empty if unknown."""

    scenario: str
    agent: str
    controllers: tuple[ControllerResult, ...]
    differences: Mapping[str, Interval]
    series: tuple[Series, ...]

    @property
    def baselines(self) -> tuple[ControllerResult, ...]:
        """Every controller but the agent, the lowest mean delay first."""
        return tuple(result for result in self.controllers if result.name != self.agent)

    @property
    def n_seeds(self) -> int:
        """The largest number of test seeds that a controller was run on."""
        return max((result.delay.n for result in self.controllers), default=0)

    def find(self, name: str) -> ControllerResult | None:
        """Return the controller of that name, or None."""
        return next((result for result in self.controllers if result.name == name), None)


class _MalformedError(ValueError):
    """A part of the file is not what it should be."""


def read_evaluation(results: Mapping[str, object], algorithm: str, problems: list[str]) -> Evaluation | None:
    """Read the ``evaluation`` of results.json.

    Args:
        results: the parsed file.
        algorithm: the run's algorithm (``dqn``), by which the agent is known among the controllers.
        problems: sentences for the reader are appended here.

    Returns:
        The evaluation, or None where there is none with at least one controller.
    """
    raw = results.get("evaluation")
    if raw is None:
        return None
    if not isinstance(raw, dict):
        problems.append("results.json: evaluation is not an object; it is left out.")
        return None
    controllers = _each(raw, "controllers", _controller, problems)
    controllers.sort(key=lambda result: (math.isnan(result.delay.mean), result.delay.mean))
    if not controllers:
        return None
    written = _each(raw, "differences", _difference, problems)
    agent = _agent([result.name for result in controllers], [name for name, _, _ in written], algorithm)
    return Evaluation(
        scenario=str(raw.get("scenario", "")),
        agent=agent,
        controllers=tuple(controllers),
        differences=_differences(agent, controllers, written, problems),
        series=tuple(_each(raw, "series", _series, problems)),
    )


def _each(raw: Mapping[str, object], key: str, read: Callable[[object], T], problems: list[str]) -> list[T]:
    """Read every entry of the list ``raw[key]``; a malformed one is left out and said."""
    entries = raw.get(key, [])
    if not isinstance(entries, list):
        problems.append(f"results.json: evaluation.{key} is not a list; it is left out.")
        return []
    good = []
    for index, entry in enumerate(entries):
        try:
            good.append(read(entry))
        except _MalformedError as error:
            problems.append(f"results.json: evaluation.{key}[{index}] is left out: {error}.")
    return good


def _controller(entry: object) -> ControllerResult:
    name = _text(entry, "name")
    delay = _numbers(entry, "delay_s_per_vehicle")
    if not any(map(math.isfinite, delay)):
        raise _MalformedError(f"{name} has no finite delay_s_per_vehicle")
    return ControllerResult(
        name=name,
        delay_s=delay,
        queue_veh=_numbers(entry, "mean_queue_veh"),
        unfinished=_numbers(entry, "unfinished"),
        seeds=_numbers(entry, "seeds"),
    )


def _difference(entry: object) -> tuple[str, str, Interval]:
    low, high, mean = (_number(entry, key) for key in ("low_s", "high_s", "mean_s"))
    n = _number(entry, "n")
    if not math.isfinite(mean):
        raise _MalformedError("mean_s is not a finite number")
    interval = Interval(mean, low, high, int(n) if math.isfinite(n) else 0)
    return _text(entry, "controller"), _text(entry, "baseline"), interval


def _series(entry: object) -> Series:
    name = _text(entry, "controller")
    time, queue, delay = (_numbers(entry, key) for key in ("time_s", "queue_veh", "delay_s"))
    if not time or {len(time)} != {len(values) for values in (time, queue, delay) if values}:
        raise _MalformedError(f"the series of {name} are not of equal length")
    empty = (math.nan,) * len(time)
    return Series(name, time, queue or empty, delay or empty)


def _field(entry: object, key: str) -> object:
    if not isinstance(entry, dict):
        raise _MalformedError("it is not an object")
    return entry.get(key)


def _text(entry: object, key: str) -> str:
    value = _field(entry, key)
    if not isinstance(value, str) or not value:
        raise _MalformedError(f"{key} is not a name")
    return value


def _number(entry: object, key: str) -> float:
    return _finite(_field(entry, key), key)


def _numbers(entry: object, key: str) -> tuple[float, ...]:
    values = _field(entry, key)
    if values is None:
        return ()
    if not isinstance(values, list):
        raise _MalformedError(f"{key} is not a list of numbers")
    return tuple(_finite(value, key) for value in values)


def _finite(value: object, key: str) -> float:
    """Return a number, NaN for none and for what is too large to be one."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _MalformedError(f"{key} holds {value!r}, which is no number")
    try:
        return float(value)
    except OverflowError:
        return math.nan


def _agent(names: Sequence[str], compared: Sequence[str], algorithm: str) -> str:
    """Find the trained controller: named like the algorithm, else the one that the differences are about."""
    wanted = algorithm.rsplit(".", 1)[-1].casefold()  # stable_baselines3.DQN is dqn
    exact = [name for name in names if name.casefold() == wanted]
    holding = [name for name in names if wanted and wanted in name.casefold()]
    often = Counter(name for name in compared if name in names).most_common(2)
    if exact or len(holding) == 1:
        return (exact or holding)[0]
    if often and (len(often) == 1 or often[0][1] > often[1][1]):
        return often[0][0]
    return ""


def _differences(
    agent: str,
    controllers: Sequence[ControllerResult],
    written: Sequence[tuple[str, str, Interval]],
    problems: list[str],
) -> dict[str, Interval]:
    """Return the agent's delay minus each baseline's, s per vehicle: from the seeds, else as written.

    Where both are there and disagree, the seeds count and the reader is told: a table that does not follow
    from its own measurements was not measured.
    """
    found: dict[str, Interval] = {}
    by_name = {result.name: result for result in controllers}
    if agent not in by_name:
        return found
    for controller, baseline, interval in written:
        if controller == agent:
            found[baseline] = interval
        elif baseline == agent:
            found[controller] = interval.reversed()
    for name, result in by_name.items():
        if name == agent:
            continue
        paired = mean_interval(_paired(by_name[agent], result))
        if paired.n == 0:
            continue
        if name in found and not math.isclose(found[name].mean, paired.mean, rel_tol=1e-3, abs_tol=1e-6):
            problems.append(
                f"results.json: the difference {agent} − {name} is written as {found[name].mean:.4g} s, but "
                f"its seeds give {paired.mean:.4g} s; the seeds are shown."
            )
        found[name] = paired
    return {name: interval for name, interval in found.items() if name in by_name}


def _paired(first: ControllerResult, second: ControllerResult) -> list[float]:
    """Return first − second for each seed that both ran; by position where seeds are not named."""
    if len(first.seeds) == len(first.delay_s) and len(second.seeds) == len(second.delay_s):
        other = dict(zip(second.seeds, second.delay_s, strict=True))
        return [a - other[seed] for seed, a in zip(first.seeds, first.delay_s, strict=True) if seed in other]
    if len(first.delay_s) != len(second.delay_s):
        return []
    return [a - b for a, b in zip(first.delay_s, second.delay_s, strict=True)]
