"""The panels of the league's terminal: plain data in, text of any width out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from kit.harness.size import format_size
from kit.league.device_reading import DeviceReading, GpuReading

NAME_SHARE = 0.35
"""Of a panel's width that names may take."""
CELL = 5
"""Characters of a cell of the heat map."""
SHADES = ("", "on grey15", "on grey23", "on dark_green", "on green4", "on green3 black")


def device_panel(reading: DeviceReading, gauges: Mapping[str, float]) -> Panel:
    """Return the machine's load, and what the actors report: tokens per second, queues."""
    table = _pairs(1, 2)
    table.add_row("CPU", f"{reading.cpu_load:.0%} of {reading.cores} cores")
    table.add_row("memory", f"{format_size(reading.used_bytes)} of {format_size(reading.total_bytes)}")
    table.add_row("this process", format_size(reading.process_bytes))
    if reading.gpus:
        table.add_row("GPUs", Text(reading.gpu_kind))
    for number, gpu in enumerate(reading.gpus):
        table.add_row(f"GPU {number}", f"{format_size(gpu.used_bytes)} of {format_size(gpu.total_bytes)}")
        if gpu.load is not None or gpu.power_w is not None:
            table.add_row(f"GPU {number} busy", _busy_words(gpu))
    for name, value in gauges.items():
        table.add_row(Text(name), f"{value:,.1f}")
    return Panel(table, title="device")


def _busy_words(gpu: GpuReading) -> str:
    words = [] if gpu.load is None else [f"{gpu.load:.0%}"]
    words += [] if gpu.power_w is None else [f"{gpu.power_w:.0f} W"]
    return ", ".join(words)


def collection_panel(
    tracker: Mapping[str, Any], buffer: Mapping[str, Any], games: Mapping[str, Any]
) -> Panel:
    """Return games made and running, the buffer, and what the tracker says of moves and rewards."""
    table = _pairs(3, 2)
    for kind, counts in games.items():
        table.add_row(f"{kind} games", f"{counts['made']:,}")
        table.add_row(f"{kind} games running", f"{counts['running']:,}")
    if buffer:
        table.add_row("buffer", f"{buffer['steps']:,} of {buffer['capacity']:,} steps")
        table.add_row("steps pushed out", f"{buffer['evicted']:,}")
        table.add_row("games that broke", f"{buffer['broken']:,}")
    for name in sorted(tracker["counts"]):
        if name.endswith(("/faults", "/not_finite")) and tracker["counts"][name]:
            table.add_row(Text(name), Text(f"{tracker['counts'][name]:,}", "red"))
    for name in sorted(tracker["means"]):
        table.add_row(Text(name), f"{tracker['means'][name]:.3f}")
    return Panel(table, title="collection")


def ratings_panel(players: Sequence[Mapping[str, Any]], width: int, most: int) -> Panel:
    """Return a bar for each player, best first: a dot at mu, a line one sigma to both sides.

    Of more than ``most`` the newest checkpoint and the fixed opponents are shown, and then the best.
    """
    shown = _shown(players, most)
    if not shown:
        return Panel(Text("nobody has been rated yet"), title="ratings")
    low = min(one["mu"] - one["sigma"] for one in shown)
    high = max(one["mu"] + one["sigma"] for one in shown)
    inner = max(20, width - 4)
    name_width = _name_width(shown, inner)
    bar_width = max(3, inner - name_width - 16)
    table = Table.grid(padding=(0, 1))
    table.add_column(width=name_width, no_wrap=True, overflow="ellipsis")
    table.add_column(width=12, justify="right", no_wrap=True)
    table.add_column(width=bar_width, no_wrap=True)
    for one in shown:
        bar = rating_bar(one["mu"], one["sigma"], (low, high), bar_width)
        table.add_row(Text(one["uid"]), f"{one['mu']:.1f} ± {one['sigma']:.1f}", Text(bar, "cyan"))
    left = len(players) - len(shown)
    return Panel(table, title="ratings, μ ± σ", subtitle=f"{left} more" if left else None)


def rating_bar(mu: float, sigma: float, scale: tuple[float, float], width: int) -> str:
    """Return ``──●──`` of mu and one sigma to both sides, on a scale from the left end to the right one."""
    low, high = scale
    span = (high - low) or 1.0
    shares = [min(1.0, max(0.0, (value - low) / span)) for value in (mu - sigma, mu, mu + sigma)]
    left, dot, right = (round(share * (width - 1)) for share in shares)
    cells = ["─" if left <= place <= right else " " for place in range(width)]
    cells[dot] = "●"
    return "".join(cells)


def heat_map_panel(
    players: Sequence[Mapping[str, Any]], matches: Sequence[Sequence[Any]], width: int, most: int
) -> Panel:
    """Return how often each two met, of those who played most: as many as the width takes.

    On the diagonal stand mirror games.
    """
    games = {(one, other): count for one, other, count in matches}
    totals = dict.fromkeys((one["uid"] for one in players), 0)
    for (one, other), count in games.items():
        totals[one] += count
        totals[other] += count if other != one else 0
    inner = max(20, width - 4)
    ranked = sorted((uid for uid in totals if totals[uid]), key=lambda uid: -totals[uid])
    name_width = _name_width([{"uid": uid} for uid in ranked], inner) + 3
    ranked = ranked[: max(1, min(most, (inner - name_width) // (CELL + 1)))]
    if not ranked:
        return Panel(Text("no games yet"), title="matches")
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=name_width, no_wrap=True, overflow="ellipsis")
    for _ in ranked:
        table.add_column(width=CELL, justify="right", no_wrap=True)
    table.add_row("", *(str(number + 1) for number in range(len(ranked))))
    top = max(games.values())
    for number, uid in enumerate(ranked):
        row = [games.get((uid, other), games.get((other, uid), 0)) for other in ranked]
        table.add_row(Text(f"{number + 1:>2} {uid}"), *(_cell(count, top) for count in row))
    left = sum(1 for total in totals.values() if total) - len(ranked)
    return Panel(table, title="matches", subtitle=f"{left} more" if left else None)


def _cell(count: int, top: int) -> Text:
    if not count:
        return Text("·", "dim")
    shade = 1 + round((len(SHADES) - 2) * count / top)
    text = f"{count}" if count < 10**CELL else f"{count / 1000:.0f}k"
    return Text(text.rjust(CELL), SHADES[shade])


def _shown(players: Sequence[Mapping[str, Any]], most: int) -> list[Mapping[str, Any]]:
    """Return the newest checkpoint, the fixed opponents, and then the best, ``most`` of them; best first."""
    newest = max((one["iteration"] for one in players), default=0)
    ranked = sorted(players, key=lambda one: (-one["mu"], one["uid"]))
    wanted = sorted(ranked, key=lambda one: (one["iteration"] != newest, one["iteration"] >= 0))[:most]
    return [one for one in ranked if one in wanted]


def _name_width(players: Sequence[Mapping[str, Any]], width: int) -> int:
    longest = max((len(one["uid"]) for one in players), default=1)
    return max(4, min(longest, int(width * NAME_SHARE)))


def _pairs(left: int, right: int) -> Table:
    """Return a table of names and values, whose widths are in that ratio."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=left)
    table.add_column(justify="right", no_wrap=True, overflow="ellipsis", ratio=right)
    return table


def side_by_side(left: RenderableType, right: RenderableType) -> Table:
    """Return two panels beside each other, half of the width each."""
    table = Table.grid(expand=True)
    table.add_column(ratio=1)
    table.add_column(ratio=1)
    table.add_row(left, right)
    return table
