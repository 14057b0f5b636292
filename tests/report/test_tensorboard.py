from pathlib import Path

import pytest

from kit.report.tensorboard import MOST_POINTS, write_tensorboard
from tests.report.made import metrics_csv

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def test_tensorboard_reads_what_was_measured(run_dir: Path) -> None:
    """Every column is there, at its steps, and rows taken back by a resume are gone from the log too."""
    path = write_tensorboard(run_dir)
    assert path is not None
    events = accumulator.EventAccumulator(str(path.parent)).Reload()
    assert [event.step for event in events.Scalars("eval_reward")] == list(range(1_500, 24_001, 1_500))
    (run_dir / "metrics.csv").write_text(metrics_csv(steps=12_000))
    write_tensorboard(run_dir)
    events = accumulator.EventAccumulator(str(path.parent)).Reload()
    assert events.Scalars("episode_reward")[-1].step == 12_000


def test_the_log_is_bounded(run_dir: Path) -> None:
    """A long run keeps 2,000 points a column, its last row among them; values beyond a float are no error."""
    rows = "".join(f"{step},{step}.5,{10.0 ** (step % 300)!r}\n" for step in range(1, 20_001))
    (run_dir / "metrics.csv").write_text("step,reward,huge\n" + rows)
    path = write_tensorboard(run_dir)
    assert path is not None
    events = accumulator.EventAccumulator(str(path.parent), {accumulator.SCALARS: 0}).Reload()
    points = events.Scalars("reward")
    assert len(points) == MOST_POINTS
    assert points[-1].step == 20_000
    assert path.stat().st_size < 400_000


def test_nothing_measured_gives_no_log(tmp_path: Path) -> None:
    """A run without metrics has no TensorBoard log."""
    assert write_tensorboard(tmp_path) is None
