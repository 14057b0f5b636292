import json
import subprocess
import sys

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.harness.clock import ManualClock
from kit.timing.probe import Probe
from kit.timing.probing import Probing
from kit.timing.process_peak import ProcessPeak

REQUIRED = {
    "step_s",
    "samples_per_s",
    "peak_bytes",
    "device_peak_bytes",
    "parts",
    "steps",
    "warm_up_steps",
    "cv",
    "wall_s",
    "cpu_s",
    "machine",
    "date",
}


def probed(clock: ManualClock, loader_s: float = 2.0, compute_s: float = 6.0, first_s: float = 0.0) -> Probe:
    """Ten steps of a loader that only waits and of computing, with a second between them; the first one is slower."""
    with Probing("my loop", steps=10, limit_s=1e6, clock=clock) as probing:
        clock.advance(first_s)
        while probing.going:
            with probing.part("loader"):
                clock.advance(loader_s)
            with probing.part("compute"):
                clock.burn(compute_s)
            clock.burn(1.0)
            probing.step(samples=32, loss=0.5)
    return probing.result()


def test_a_step_splits_into_its_parts_as_worked_out_by_hand():
    """2 s of waiting, 6 s of computing and 1 s beside them are 9 s a step, with shares, CPU and idle time to match."""
    probe = probed(ManualClock())
    assert probe.step_s == pytest.approx(9.0)
    assert probe.wall_s == pytest.approx(90.0)
    assert probe.cpu_s == pytest.approx(70.0)
    assert probe.idle_s == pytest.approx(2.0)
    assert {name: round(part.mean_s, 9) for name, part in probe.parts.items()} == {
        "loader": 2.0,
        "compute": 6.0,
        "other": 1.0,
    }
    assert probe.parts["loader"].share == pytest.approx(2 / 9)
    assert probe.parts["loader"].idle_s == pytest.approx(2.0)
    assert probe.parts["compute"].cpu_s == pytest.approx(6.0)
    assert probe.parts["compute"].idle_s == pytest.approx(0.0)
    assert probe.samples_per_s == pytest.approx(32 / 9)


def test_warm_up_counts_apart_and_once_in_a_projection():
    """A first step of 109 s is warm-up: the mean is of the others, and a run of 100 steps has it once."""
    probe = probed(ManualClock(), first_s=100.0)
    assert (probe.warm_up_steps, probe.steps) == (1, 9)
    assert probe.warm_up_s == pytest.approx(109.0)
    assert probe.step_s == pytest.approx(9.0)
    assert probe.project(100) == pytest.approx(109.0 + 99 * 9.0)
    assert probe.project_samples(3_200) == pytest.approx(109.0 + 99 * 9.0)
    assert probe.project(1) == pytest.approx(109.0)


def test_warm_up_can_be_given():
    """A number of warm-up steps that is given is used instead of what would be detected."""
    clock = ManualClock()
    with Probing(steps=10, warm_up=4, clock=clock) as probing:
        while probing.going:
            clock.advance(1.0)
            probing.step()
    assert (probing.result().warm_up_steps, probing.result().steps) == (4, 6)


def test_a_nested_part_is_taken_out_of_the_one_around_it():
    """The optimiser inside of an update is not counted twice."""
    clock = ManualClock()
    with Probing(steps=3, clock=clock) as probing:
        while probing.going:
            with probing.part("update"):
                clock.advance(1.0)
                with probing.part("optimiser"):
                    clock.advance(10.0)
                clock.advance(2.0)
            probing.step()
    parts = probing.result().parts
    assert (parts["update"].mean_s, parts["optimiser"].mean_s) == (pytest.approx(3.0), pytest.approx(10.0))


@settings(max_examples=30)
@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from(["loader", "compute"]), st.floats(0.001, 10)), min_size=1, max_size=5
        ),
        min_size=4,
        max_size=20,
    )
)
def test_parts_are_exclusive_and_complete(plan):
    """However steps are split, the shares add up to 1 and the parts to the time that passed."""
    clock = ManualClock()
    with Probing(steps=len(plan), limit_s=1e9, warm_up=0, clock=clock) as probing:
        began = clock.monotonic()
        for step in plan:
            for name, seconds in step:
                with probing.part(name):
                    clock.advance(seconds)
                clock.advance(seconds)
            probing.step()
    probe = probing.result()
    assert probe.wall_s == pytest.approx(clock.monotonic() - began)
    assert sum(part.share for part in probe.parts.values()) == pytest.approx(1.0)
    assert sum(part.mean_s for part in probe.parts.values()) == pytest.approx(probe.step_s)


def test_the_limit_ends_a_probe_before_its_steps():
    """Of 100 steps of 9 s a probe with a limit of 60 s begins those that start within it."""
    clock = ManualClock()
    with Probing(steps=100, limit_s=60.0, clock=clock) as probing:
        while probing.going:
            clock.advance(9.0)
            probing.step()
    assert probing.result().steps == 7


def test_a_slow_step_in_the_middle_stays_in_the_mean():
    """Means, not medians: nine steps of 1 s and one of 11 s are 2 s a step."""
    clock = ManualClock()
    with Probing(steps=10, clock=clock) as probing:
        for number in range(10):
            clock.advance(11.0 if number == 4 else 1.0)
            probing.step()
    probe = probing.result()
    assert (probe.step_s, probe.median_s, probe.warm_up_steps) == (pytest.approx(2.0), pytest.approx(1.0), 0)


@pytest.mark.parametrize(
    ("steps", "settings", "says"),
    [
        (0, {}, "it took no step"),
        (5, {"optimiser_steps": 0}, "its 5 steps contain no gradient step"),
        (5, {"loss": float("nan")}, "the loss was nan in every step"),
        (1, {}, "of its 1 steps 0 were warm-up, and at least 2 more are needed"),
    ],
)
def test_a_probe_that_measured_nothing_gives_no_number(steps, settings, says):
    """No step, no gradient step, nothing but NaN, or a single step: an error that names the loop and when it ended."""
    clock = ManualClock()
    with Probing("my loop", steps=100, clock=clock) as probing:
        for _ in range(steps):
            clock.advance(1.0)
            probing.step(**settings)
    with pytest.raises(UsageError, match=f"The probe of my loop measured nothing: .*{says}"):
        probing.result()


def test_steps_before_the_first_update_are_warm_up():
    """Steps that only collect are no measure of those that train."""
    clock = ManualClock()
    with Probing(steps=10, clock=clock) as probing:
        for number in range(10):
            clock.advance(1.0 if number < 6 else 5.0)
            probing.step(optimiser_steps=int(number >= 6))
    probe = probing.result()
    assert (probe.warm_up_steps, probe.step_s) == (6, pytest.approx(5.0))


def test_some_bad_losses_are_a_note():
    """A loss that was NaN now and then is said, and the times stand."""
    clock = ManualClock()
    with Probing(steps=4, clock=clock) as probing:
        for number in range(4):
            clock.advance(1.0)
            probing.step(loss=float("inf") if number == 2 else 1.0)
    assert probing.result().notes == ("The loss was not finite in 1 of 4 steps.",)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"steps": 0}, "steps must be at least 1, not 0"),
        ({"limit_s": 0.0}, "limit_s must be seconds"),
        ({"limit_s": float("nan")}, "limit_s must be seconds"),
        ({"steps": 10, "warm_up": 10}, "warm_up must be from 0 to 9 for 10 steps, not 10"),
    ],
)
def test_bad_settings_are_refused(settings, says):
    """Values that no probe can be made with are named with the legal ones."""
    with pytest.raises(UsageError, match=says):
        Probing(**settings)


def test_misuse_is_told():
    """A step inside a part, an end of none, and a probe that was not begun or is begun twice, are errors."""
    probing = Probing("my loop", clock=ManualClock())
    with pytest.raises(UsageError, match="has not begun"):
        probing.step()
    with probing:
        with pytest.raises(UsageError, match="no part is open"):
            probing.leave()
        with pytest.raises(UsageError, match="inside the part 'loader'"), probing.part("loader"):
            probing.step()
        with pytest.raises(UsageError, match="begun before"):
            probing.__enter__()


def test_an_error_in_a_step_says_where_it_was():
    """What goes wrong inside a probe surfaces as it is, with the step and the part."""
    clock = ManualClock()
    with pytest.raises(KeyError) as caught, Probing("my loop", clock=clock) as probing:  # noqa: PT012
        probing.step()
        with probing.part("step 2"), probing.part("loader"):
            raise KeyError("batch")
    assert caught.value.__notes__ == ["Raised in step 2 of the probe of my loop, in part 'loader'."]


@pytest.mark.parametrize(("call", "value"), [("project", 0), ("project_samples", 0)])
def test_a_projection_needs_something_to_project(call, value):
    """No steps, and no samples, are no run."""
    with pytest.raises(UsageError, match="must be"):
        getattr(probed(ManualClock()), call)(value)


def test_without_samples_there_is_no_throughput():
    """Where nobody counted samples there is no rate, and no projection by them."""
    clock = ManualClock()
    with Probing(steps=3, clock=clock) as probing:
        while probing.going:
            clock.advance(1.0)
            probing.step()
    probe = probing.result()
    assert probe.samples_per_s is None
    with pytest.raises(UsageError, match="counted no samples"):
        probe.project_samples(10)


def test_the_json_is_plain_and_has_what_the_budget_reads():
    """It survives a file, holds the keys that are relied on, and a stage only where one was given."""
    probe = probed(ManualClock(wall=1_700_000_000.0))
    written = probe.as_json("sft")
    assert json.loads(json.dumps(written)) == written
    assert written.keys() >= REQUIRED | {"stage"}
    assert "stage" not in probe.as_json()
    assert written["date"] == "2023-11-14"
    assert written["parts"]["loader"].keys() >= {"mean_s", "share"}
    assert len(written["times_s"]) == written["steps"]


PEAK = """
import numpy as np
import psutil
from kit.harness.clock import ManualClock
from kit.timing.probing import Probing

clock, before = ManualClock(), psutil.Process().memory_info().rss
with Probing(steps=3, clock=clock) as probing:
    while probing.going:
        with probing.part("compute"):
            clock.advance(1.0)
            held = np.ones(10_000_000)
        del held
        probing.step()
print(probing.result().peak_bytes - before)
"""


def test_the_peak_of_memory_is_that_of_the_probe():
    """80 MB that a step allocates and frees again are in the peak; in a process with no earlier peak of its own."""
    done = subprocess.run([sys.executable, "-c", PEAK], check=True, capture_output=True, text=True)
    assert 70_000_000 <= int(done.stdout) <= 200_000_000


def test_memory_held_before_the_probe_is_not_its_peak():
    """What was allocated and freed again before a probe began raises the process's mark, but not the probe's peak."""
    held = np.ones(30_000_000)
    while_held = psutil.Process().memory_info().rss
    del held
    peak = ProcessPeak()
    assert peak.peak_bytes() < while_held - 100_000_000
    peak.look(0.0)
    assert not peak.due(0.005)
    assert peak.due(0.011)


def test_a_device_that_torch_does_not_use_is_asked_of_its_driver(monkeypatch, tmp_path):
    """Where there is nvidia-smi but no CUDA in torch, the larger of its two readings is the peak, and says so."""
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    answers = tmp_path / "nvidia-smi"
    answers.write_text(
        "#!/bin/sh\nif [ -e seen ]; then echo '1000, 16000'; else touch seen; echo '3000, 16000'; fi\n"
    )
    answers.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.chdir(tmp_path)
    probe = probed(ManualClock())
    assert probe.device_peak_from == "driver"
    assert (probe.device_peak_bytes, probe.device_used_bytes) == (3000 * 2**20, 1000 * 2**20)
    assert probe.device == "cpu"  # a GPU that is there computed nothing


def test_a_machine_without_a_gpu_says_so(monkeypatch, tmp_path):
    """Without driver and nvidia-smi the device's memory is absent, not zero."""
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    monkeypatch.setenv("PATH", str(tmp_path))
    probe = probed(ManualClock())
    assert (probe.device_peak_bytes, probe.device_used_bytes, probe.device_peak_from) == (
        None,
        None,
        "absent",
    )
    assert probe.device == "cpu"
