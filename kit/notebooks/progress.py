"""The progress bar of a run: reads the heartbeat that the session leaves in the run folder."""

from __future__ import annotations

from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.harness.deadline import format_duration
from kit.harness.heartbeat import read_beat
from kit.harness.run_folder import RunFolder


class RunProgress:
    """A bar on a terminal, with the phase and the expected end; nothing at all where there is no terminal."""

    def __init__(self, title: str, stream: TextIO, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._began_s = clock.monotonic()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.completed:>9,.0f} / {task.total:,.0f}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._bar = Progress(
            *columns, console=Console(file=stream), disable=not stream.isatty(), transient=True
        )
        self._task: TaskID = self._bar.add_task(title, total=1, note="starting the kernel")

    def tick(self, folder: RunFolder) -> None:
        """Show what the heartbeat in ``folder`` says; one from before this run began is not shown."""
        beat = read_beat(folder.heartbeat)
        if beat is None or beat.beat_s < self._began_s:
            return
        note = beat.phase + (
            f", {_left(beat.end_s - self._clock.monotonic(), beat.factor)}" if beat.end_s else ""
        )
        self._bar.update(self._task, completed=beat.step, total=max(1, beat.total_steps), note=note)

    def __enter__(self) -> RunProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


def _left(seconds: float, factor: float) -> str:
    """Say how long it will still take, with the interval by which earlier runs were foretold under way."""
    low, middle, high = (
        format_duration(max(0, round(seconds * by))) for by in (1 / (factor or 1.0), 1.0, factor)
    )
    return f"{middle} left ({low} to {high})" if factor else f"{middle} left"
