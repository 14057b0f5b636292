"""Demand from a CSV file of traffic counts, as a roadside counter or a survey gives them.

The file has a header and the columns ``time``, ``approach``, ``vehicles``, in any order, separated by
commas, semicolons or tabs; other columns are ignored. A row says how many vehicles wanted to enter from an
approach between its time and the next time in the file; the last period is as long as the one before it.

| column | legal values |
|---|---|
| time | ``07:15`` or ``07:15:30`` (within one day), ``2026-03-05 07:15``, or seconds such as ``900`` |
| approach | where the vehicles come from: N, E, S, W, upper or lower case |
| vehicles | a number >= 0 |

Every time needs a row for every approach that occurs in the file; one that never occurs has no traffic. An
hour is simulated: of a longer file the peak hour, that is the one of most vehicles among those beginning at a
time of the file. Counts become mean rates, and every day draws Poisson arrivals around them.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from kit.errors import UsageError
from kit.traffic.demand import HORIZON_DECISIONS, Demand
from kit.traffic.network import APPROACHES

COLUMNS = ("time", "approach", "vehicles")
INTERVAL_S = 15.0
_HOUR_S = HORIZON_DECISIONS * INTERVAL_S
_CLOCKS = ("%H:%M", "%H:%M:%S")


@dataclass(frozen=True)
class _Count:
    row: int  # line of the file, the header being 1
    time_s: float
    approach: int
    vehicles: float


def read_counts(path: Path) -> Demand:
    """Return the demand that a file of counts describes, named after the file.

    Raises:
        UsageError: the file is missing or bad; the message names row, column and the legal values.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The counts in {path} cannot be read: {error}.") from error
    table = _table(list(_rows(text, path.name)), path.name)
    return Demand(path.stem, _peak_hour(*table, path.name), INTERVAL_S)


def _rows(text: str, file: str) -> Iterator[_Count]:
    header_line = text.partition("\n")[0]
    delimiter = max(",;\t", key=header_line.count)
    reader = csv.reader(text.splitlines(), delimiter=delimiter)
    header = [name.strip().lower() for name in next(reader, [])]
    for name in COLUMNS:
        if name not in header:
            raise UsageError(
                f"{file}, row 1: no column {name!r}. It needs {', '.join(COLUMNS)}; it has {header}."
            )
    for cells in reader:
        row = reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) < len(header):
            raise UsageError(
                f"{file}, row {row}: {len(cells)} values where the header has {len(header)} columns."
            )
        value = {name: cells[header.index(name)].strip() for name in COLUMNS}
        where = f"{file}, row {row}, column"
        yield _Count(
            row,
            _time_s(value["time"], f"{where} 'time'"),
            _approach(value["approach"], f"{where} 'approach'"),
            _vehicles(value["vehicles"], f"{where} 'vehicles'"),
        )


def _time_s(text: str, where: str) -> float:
    for form in _CLOCKS:
        try:
            clock = datetime.strptime(text, form)
        except ValueError:
            continue
        return clock.hour * 3600.0 + clock.minute * 60.0 + clock.second
    try:
        return _finite(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{where}: {text!r} is not a time. Legal: 07:15, 07:15:30, 2026-03-05 07:15, or seconds (900)."
        ) from None
    return (moment.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds()


def _approach(text: str, where: str) -> int:
    if text.upper() not in APPROACHES:
        raise UsageError(f"{where}: {text!r} is not an approach. Legal: {', '.join(APPROACHES)}.")
    return APPROACHES.index(text.upper())


def _vehicles(text: str, where: str) -> float:
    try:
        vehicles = _finite(text)
    except ValueError:
        vehicles = -1.0
    if vehicles < 0:
        raise UsageError(f"{where}: {text!r} is not a count. Legal: a number >= 0.")
    return vehicles


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _table(counts: list[_Count], file: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the times (T,) in seconds, ascending, and the counts (T, 4)."""
    cells: dict[tuple[float, int], _Count] = {}
    for count in counts:
        before = cells.setdefault((count.time_s, count.approach), count)
        if before is not count:
            name = APPROACHES[count.approach]
            raise UsageError(
                f"{file}, row {count.row}, column 'time': row {before.row} has this time and {name} too."
            )
    times = sorted({time_s for time_s, _ in cells})
    if len(times) < 2:
        raise UsageError(f"{file}: {len(times)} times; at least two are needed to know how long a period is.")
    table = np.zeros((len(times), 4))
    for approach in {approach for _, approach in cells}:
        for at, time_s in enumerate(times):
            if (time_s, approach) not in cells:
                row = next(c.row for c in counts if c.time_s == time_s)
                raise UsageError(
                    f"{file}, row {row}: approach {APPROACHES[approach]} has no row for this time."
                )
            table[at, approach] = cells[time_s, approach].vehicles
    return np.array(times), table


def _peak_hour(times_s: np.ndarray, vehicles: np.ndarray, file: str) -> np.ndarray:
    """Return (240, 4) mean rates, veh/h, of the hour with most vehicles."""
    edges_s = np.append(times_s, 2 * times_s[-1] - times_s[-2])
    if edges_s[-1] - edges_s[0] < _HOUR_S - 1e-6:
        raise UsageError(
            f"{file}: the counts cover {(edges_s[-1] - edges_s[0]) / 60:g} min; an episode needs 60."
        )
    cumulative = np.vstack([np.zeros(4), np.cumsum(vehicles, axis=0)])
    starts_s = edges_s[edges_s <= edges_s[-1] - _HOUR_S + 1e-6]
    hours = [_hour(start_s, edges_s, cumulative) for start_s in starts_s]
    return max(hours, key=lambda rates: float(rates.sum()))  # the first of several alike


def _hour(start_s: float, edges_s: np.ndarray, cumulative: np.ndarray) -> np.ndarray:
    grid_s = start_s + INTERVAL_S * np.arange(HORIZON_DECISIONS + 1)
    counted = [np.interp(grid_s, edges_s, cumulative[:, a]) for a in range(4)]
    return np.asarray(np.maximum(np.diff(np.stack(counted, axis=1), axis=0), 0.0) * (3600 / INTERVAL_S))
