"""TerminalInterface: the league on a terminal while it runs: device, collection, ratings, who met whom."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live

from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.league.device_reading import DeviceReader, DeviceReading
from kit.league.terminal_panels import (
    collection_panel,
    device_panel,
    heat_map_panel,
    ratings_panel,
    side_by_side,
)

REFRESH_S = 2.0
WIDE = 100
"""Columns from which on two panels stand side by side."""
MOST_PLAYERS = 16
NOTHING: Mapping[str, Any] = {"counts": {}, "means": {}, "gauges": {}}


class Dashboard:
    """All panels, laid out for whatever width they are drawn at.

    Attributes:
        views: what to draw: ``tracker``, ``registry``, ``buffer`` and ``scheduler``, as their ``view()`` gives it; any
            of them may be missing.
        device: how the machine is.
    """

    def __init__(self, views: Mapping[str, Any], device: DeviceReading) -> None:
        self.views, self.device = views, device

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the panels, stacked where it is narrow."""
        tracker, registry = self.views.get("tracker", NOTHING), self.views.get("registry", {})
        players, matches = registry.get("players", ()), registry.get("matches", ())
        width = options.max_width
        half = width // 2 if width >= WIDE else width
        device = device_panel(self.device, tracker["gauges"])
        collection = collection_panel(tracker, self.views.get("buffer", {}), self.views.get("scheduler", {}))
        ratings = ratings_panel(players, half, MOST_PLAYERS)
        heat = heat_map_panel(players, matches, half, MOST_PLAYERS)
        if width >= WIDE:
            yield side_by_side(Group(device, collection), Group(ratings, heat))
        else:
            yield Group(device, collection, ratings, heat)


class TerminalInterface:
    """Draws what it was last shown, anew every ``refresh_s`` seconds and at the width that the terminal then has.

    It draws in a thread of its own, from copies of plain data, so that nothing it does can change a run. Where the
    stream is no terminal it does nothing at all.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        refresh_s: float = REFRESH_S,
        clock: Clock = SYSTEM_CLOCK,
        read_device: Callable[[], DeviceReading] | None = None,
    ) -> None:
        stream = sys.stdout if stream is None else stream
        self.shown = stream.isatty()
        self._refresh_s, self._clock = refresh_s, clock
        self._views: Mapping[str, Any] = {}
        self._shown_s: float | None = None
        self._read_device = read_device
        self._console = Console(file=stream)
        self._live: Live | None = None

    def due(self) -> bool:
        """Say whether it is time to ``show`` something: on a terminal, every ``refresh_s`` seconds."""
        now_s = self._clock.monotonic()
        return self.shown and (self._shown_s is None or now_s - self._shown_s >= self._refresh_s)

    def show(self, **views: Mapping[str, Any]) -> None:
        """Take what to draw from now on; see Dashboard."""
        self._shown_s = self._clock.monotonic()
        self._views = copy.deepcopy(views)

    def render(self) -> Dashboard:
        """Return what is drawn now."""
        if self._read_device is None:
            self._read_device = DeviceReader().read
        return Dashboard(self._views, self._read_device())

    def __enter__(self) -> TerminalInterface:
        if self.shown:
            self._live = Live(
                get_renderable=self.render,
                console=self._console,
                refresh_per_second=1.0 / self._refresh_s,
                transient=True,
            )
            self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
