import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kit.errors import StorageError
from kit.report import draw_all, draw_learning_curve, draw_phase_timings
from tests.report.made import make_run, metrics_csv, results, write_json

NAMES = ["comparison.png", "learning_curve.png", "phase_timings.png", "queue_and_delay.png"]


def width_and_height(path: Path) -> tuple[int, int]:
    """Return the size of a PNG in pixels."""
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert data.endswith(b"IEND\xaeB`\x82")
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def test_a_complete_run_gives_every_figure(run_dir: Path) -> None:
    """All four figures are drawn, at one width, and nothing but them is in figures/."""
    drawn = draw_all(run_dir)
    assert sorted(path.name for path in drawn) == NAMES
    assert sorted(path.name for path in (run_dir / "figures").iterdir()) == NAMES
    assert {width_and_height(path)[0] for path in drawn} == {960}


def test_an_empty_folder_gives_no_figure(tmp_path: Path) -> None:
    """A run that has left nothing yet is no error."""
    assert draw_all(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_the_same_folder_gives_the_same_bytes(run_dir: Path) -> None:
    """Drawing has no chance and no clock in it."""
    first = {path.name: path.read_bytes() for path in draw_all(run_dir)}
    assert {path.name: path.read_bytes() for path in draw_all(run_dir)} == first


def test_a_figure_whose_data_are_gone_stays(run_dir: Path) -> None:
    """A picture is replaced only by a better one: a torn results.json does not take it away."""
    draw_all(run_dir)
    (run_dir / "results.json").write_text('{"evaluation": {')
    assert sorted(path.name for path in draw_all(run_dir)) == ["learning_curve.png", "phase_timings.png"]
    assert (run_dir / "figures" / "comparison.png").exists()


def one_row(run_dir: Path) -> None:
    """Leave a single row of metrics."""
    (run_dir / "metrics.csv").write_text("step,episode_reward\n500,-12.5\n")


def nothing_finite(run_dir: Path) -> None:
    """Leave metrics that are all infinite or missing."""
    (run_dir / "metrics.csv").write_text("step,train_loss\n1,inf\n2,nan\n3,1e300\n")


def constant(run_dir: Path) -> None:
    """Leave metrics without any spread."""
    (run_dir / "metrics.csv").write_text("step,reward\n" + "".join(f"{n},0.0\n" for n in range(1, 9)))


def diverging(run_dir: Path) -> None:
    """Leave a loss over many orders of magnitude, beside one with both signs."""
    rows = "".join(f"{n},{10.0**n},{(-10.0) ** n}\n" for n in range(1, 90))
    (run_dir / "metrics.csv").write_text("step,train_loss,drift\n" + rows)


def odd_names(run_dir: Path) -> None:
    """Give columns, phases and controllers names that are hard to draw."""
    (run_dir / "metrics.csv").write_text("step,$\\frac{,信号 loss\n1,2,3\n2,3,4\n")
    write_json(run_dir / "timing.json", {"phases": [{"name": "$x_{" * 20, "total_s": 1.0}]})
    raw = results()
    for one in raw["evaluation"]["controllers"]:
        one["name"] = "$^" + one["name"] * 9
    write_json(run_dir / "results.json", raw)


def tiny_and_huge_times(run_dir: Path) -> None:
    """Leave phases of no time, of a year, with impossible values among them."""
    values = [0.0, 3e7, 1e-9, -1.0, 1e200, None, "long"]
    write_json(
        run_dir / "timing.json", {"phases": [{"name": str(v), "total_s": v, "count": 0} for v in values]}
    )


def no_time(run_dir: Path) -> None:
    """Leave phases that took no time at all."""
    write_json(
        run_dir / "timing.json", {"phases": [{"name": "setup", "count": 1, "total_s": 0.0, "cpu_s": 0}]}
    )


def one_seed(run_dir: Path) -> None:
    """Leave an evaluation on a single seed."""
    write_json(run_dir / "results.json", results(n_seeds=1))


def gridlock(run_dir: Path) -> None:
    """Leave one controller with a jam, values that are missing, and one beyond measure."""
    raw = results()
    first, second = raw["evaluation"]["controllers"][:2]
    first["delay_s_per_vehicle"][3] = 2_400.0
    second["delay_s_per_vehicle"][:3] = [None, 1e300, float("nan")]
    raw["evaluation"]["series"][0]["queue_veh"][7] = None
    raw["evaluation"]["series"][1]["delay_s"] = []
    write_json(run_dir / "results.json", raw)


def one_moment(run_dir: Path) -> None:
    """Leave series of one point, at time zero."""
    raw = results()
    for one in raw["evaluation"]["series"]:
        one.update(time_s=[0.0], queue_veh=[1.0], delay_s=[0.0])
    write_json(run_dir / "results.json", raw)


def equal_controllers(run_dir: Path) -> None:
    """Leave controllers that all did exactly the same."""
    raw = results()
    for one in raw["evaluation"]["controllers"]:
        one["delay_s_per_vehicle"] = [20.0] * 20
    write_json(run_dir / "results.json", raw)


@pytest.mark.parametrize(
    "spoil",
    [
        one_row,
        nothing_finite,
        constant,
        diverging,
        odd_names,
        tiny_and_huge_times,
        no_time,
        one_seed,
        gridlock,
        one_moment,
        equal_controllers,
    ],
)
def test_odd_data_are_drawn_without_a_warning(run_dir: Path, spoil: Callable[[Path], None]) -> None:
    """Whatever the numbers, drawing raises nothing, warns of nothing and leaves whole pictures."""
    spoil(run_dir)
    for path in draw_all(run_dir):
        width, height = width_and_height(path)
        assert width == 960
        assert height <= 1_400


def test_a_long_run_is_drawn_from_all_its_rows(run_dir: Path) -> None:
    """A hundred thousand rows give a picture no larger than a few hundred do."""
    (run_dir / "metrics.csv").write_text(metrics_csv(steps=100_000, every=1))
    path = draw_learning_curve(run_dir)
    assert path is not None
    assert path.stat().st_size < 150_000


def test_figures_are_drawn_from_several_threads_at_once(tmp_path: Path) -> None:
    """Threads do not disturb each other: what they draw is what one alone draws."""
    alone = make_run(tmp_path / "alone")
    draw_learning_curve(alone)
    draw_phase_timings(alone)
    others = [shutil.copytree(alone, tmp_path / str(n)) for n in range(4)]
    for other in others:
        shutil.rmtree(other / "figures")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(draw_learning_curve, others))
        list(pool.map(draw_phase_timings, others))
    for other in others:
        for path in (alone / "figures").glob("*.png"):
            assert (other / "figures" / path.name).read_bytes() == path.read_bytes()


def test_the_disk_refusing_is_a_storage_error(run_dir: Path) -> None:
    """Where a figure cannot be written the kit's own error says so."""
    (run_dir / "figures").write_text("in the way")
    with pytest.raises(StorageError, match="figures"):
        draw_all(run_dir)


def test_importing_the_report_loads_no_matplotlib_and_drawing_no_pyplot(run_dir: Path) -> None:
    """The import is light, and drawing never touches the state that notebooks and threads share."""
    code = (
        "import sys, json, pathlib, kit.report\nbefore = sorted(sys.modules)\n"
        f"kit.report.draw_all(pathlib.Path({str(run_dir)!r}))\n"
        "print(json.dumps([before, sorted(sys.modules)]))"
    )
    before, after = json.loads(subprocess.check_output([sys.executable, "-c", code], text=True))
    assert not {"matplotlib", "numpy", "pandas"} & set(before)
    assert "matplotlib.figure" in after
    assert not {"matplotlib.pyplot", "pandas"} & set(after)
