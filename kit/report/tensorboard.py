"""A TensorBoard log of metrics.csv, bounded in size.

The log is made anew from metrics.csv each time and replaced whole, so it never holds rows that a resumed run
has taken back, never a torn record, and never more than 2,000 points a column, however long the run.
"""

from __future__ import annotations

import importlib
import io
import math
from collections.abc import Sequence
from pathlib import Path

from kit.errors import MissingDependencyError
from kit.harness.run_folder import RunFolder
from kit.report.output import put
from kit.report.table import read_table

FILE = "events.out.tfevents.0000000000.kit"
MOST_POINTS = 2_000


def write_tensorboard(run_dir: Path) -> Path | None:
    """Write the log into ``run_dir``/tensorboard; a point's wall time is its seconds since the launch.

    Returns:
        The event file, or None where nothing has been measured.

    Raises:
        MissingDependencyError: tensorboard is not installed.
        StorageError: the disk refused; the log that was there is intact.
    """
    try:
        writer = importlib.import_module("tensorboard.summary.writer.record_writer")
        event = importlib.import_module("tensorboard.compat.proto.event_pb2").Event
        summary = importlib.import_module("tensorboard.compat.proto.summary_pb2").Summary
    except ImportError as error:
        raise MissingDependencyError("tensorboard is not installed: pip install tensorboard.") from error
    folder = RunFolder(run_dir)
    metrics, timing = read_table(folder.metrics, []), read_table(folder.timing_rows, [])
    if not len(metrics):
        return None
    seconds = dict(zip(timing.get("step"), timing.get("time_s"), strict=False))
    buffer = io.BytesIO()
    records = writer.RecordWriter(buffer)
    records.write(event(wall_time=0.0, file_version="brain.Event:2").SerializeToString())
    for name in metrics.columns:
        if name == "step":
            continue
        for step, value in _points(metrics.get("step"), metrics.get(name)):
            one = summary(value=[summary.Value(tag=name, simple_value=value)])
            at = seconds.get(step, 0.0)
            records.write(event(wall_time=at, step=int(step), summary=one).SerializeToString())
    return put(run_dir / "tensorboard" / FILE, buffer.getvalue())


def _points(steps: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
    """Return at most 2,000 measured rows, evenly taken, the last always among them."""
    rows = [(s, v) for s, v in zip(steps, values, strict=False) if math.isfinite(s) and not math.isnan(v)]
    every = max(1, math.ceil(len(rows) / MOST_POINTS))
    return rows[::-1][::every][::-1]
