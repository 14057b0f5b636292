from pathlib import Path

import pytest

from kit.report.probe_figure import draw_probe


def made() -> dict:
    """A probe's JSON, as far as the picture reads it."""
    return {
        "what": "the module Net",
        "unit": "optimiser step of 4 batches",
        "step_s": 0.41,
        "median_s": 0.39,
        "p5_s": 0.35,
        "p95_s": 0.6,
        "cv": 0.21,
        "steps": 20,
        "warm_up_steps": 3,
        "times_s": [0.39 + 0.01 * (number % 5) for number in range(20)],
        "parts": {
            "loader": {"mean_s": 0.2, "cpu_s": 0.02, "idle_s": 0.18},
            "compute": {"mean_s": 0.15, "cpu_s": 0.28, "idle_s": 0.0},
            "optimiser": {"mean_s": 0.05, "cpu_s": 0.05, "idle_s": 0.0},
            "other": {"mean_s": 0.01, "cpu_s": 0.01, "idle_s": 0.0},
        },
    }


def test_a_probe_becomes_a_picture(tmp_path: Path) -> None:
    """The picture is a PNG, whole, in a folder that is made for it."""
    path = draw_probe(made(), tmp_path / "figures" / "probe.png")
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("times_s", [[0.41, 0.41], [1e-6, 5e3]])
def test_odd_times_are_drawn_too(tmp_path: Path, times_s: list[float]) -> None:
    """Equal steps, and steps that differ by nine orders of magnitude, do not break it."""
    assert draw_probe({**made(), "times_s": times_s, "steps": 2}, tmp_path / "probe.png").exists()
