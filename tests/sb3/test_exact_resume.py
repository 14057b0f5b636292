"""A run that was stopped and continued by another process ends like one that never was, to the last bit."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.report.process import ReportProcess
from tests.crash.runs import assert_sound, checkpoint_bytes, read, train_on, without_clock_times
from tests.crash.trainer import KINDS, train

CARTPOLE = [kind for kind in KINDS if "cartpole" in kind]
EXACT_BYTES = [kind for kind in KINDS if kind not in CARTPOLE]


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sessions in this process do without figures and page; they are no part of what is compared."""
    monkeypatch.setattr(ReportProcess, "_ask", lambda *_: False)


def assert_same_run(whole: Path, cut: Path, kind: str) -> None:
    """metrics.csv and the last checkpoint agree byte for byte; with pickled environments, but for clock times."""
    assert (cut / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()
    if kind in EXACT_BYTES:
        assert checkpoint_bytes(cut) == checkpoint_bytes(whole)
    else:
        assert without_clock_times(cut) == without_clock_times(whole)
    assert_sound(cut)


def test_a_stopped_run_continues_bit_for_bit_in_a_fresh_process(tmp_path):
    """Weights, metrics.csv and the last checkpoint do not tell that the run was stopped in between."""
    kind = "dqn-traffic-2"
    assert_stops_and_continues(tmp_path, kind, lambda: train_on(kind, tmp_path / "cut", "--steps", "300"))


@pytest.mark.parametrize("kind", ["dqn-cartpole-1", "torch"])
def test_a_stopped_run_continues_bit_for_bit_in_fresh_objects(tmp_path, kind):
    """CartPole, whose state is a pickle in the verified checkpoint; a network and its optimizer that are registered."""

    def go_on() -> list[str]:
        summary, weights = train(kind, str(tmp_path / "cut"), steps=300)
        return [summary["status"], str(summary["step"]), weights]

    assert_stops_and_continues(tmp_path, kind, go_on)


def assert_stops_and_continues(folder: Path, kind: str, go_on: Callable[[], list[str]]) -> None:
    """A run of 300 steps, stopped after 170 and continued by ``go_on``, ends like one that was not."""
    summary, weights = train(kind, str(folder / "whole"), steps=300)
    assert (summary["status"], summary["exact"]) == ("complete", True)
    stopped, unfinished = train(kind, str(folder / "cut"), steps=300, cut_at=170)
    assert (stopped["status"], stopped["resumable"]) == ("stopped", True)
    assert 170 <= stopped["step"] < 300
    assert unfinished != weights
    assert go_on() == ["complete", str(summary["step"]), weights]
    assert read(folder / "cut")["sessions"] == 2
    assert_same_run(folder / "whole", folder / "cut", kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_stopped_again_and_again_at_random_steps(tmp_path, kind):
    """As above for every workload, each session in a process of its own, stopped three times."""
    whole = train_on(kind, tmp_path / "whole")
    rng = random.Random(kind)
    for step in sorted(rng.sample(range(1, 480), 3)):
        status, at, _ = train_on(kind, tmp_path / "cut", "--cut-at", str(step))
        assert (status, int(at) >= step) == ("stopped", True) or int(at) >= 500
    assert train_on(kind, tmp_path / "cut") == whole
    assert_same_run(tmp_path / "whole", tmp_path / "cut", kind)


def test_the_default_cadence_decides_no_result(tmp_path):
    """Checkpointing at every boundary and never in between end in the same weights and rows."""
    often, at_each = train("dqn-cartpole-2", str(tmp_path / "often"), every=1, steps=300)
    _, rarely = train("dqn-cartpole-2", str(tmp_path / "rarely"), every=10**9, steps=300)
    assert often["status"] == "complete"
    assert at_each == rarely
    assert (tmp_path / "often/metrics.csv").read_bytes() == (tmp_path / "rarely/metrics.csv").read_bytes()
