"""Figures of a league: drawn from what a run leaves, and only where there is something to draw."""

import pytest

from kit.league.figures import draw_league

ROWS = """step,eval_score/Kuhn-v0/random,eval_exploitability,eval_exploitability_of_average
1,,0.45,0.46
2,0.5,0.40,0.43
3,,0.30,0.38
4,0.75,0.20,0.33
"""
RESULTS = {
    "players": [
        {"uid": "base", "iteration": 0, "mu": 25.0, "sigma": 8.3},
        {"uid": "policy-4", "iteration": 4, "mu": 29.0, "sigma": 2.0},
        {"uid": "endpoint:a$b@http://x/v1", "iteration": -1, "mu": 22.0, "sigma": 1.5},
    ],
    "matches": [["base", "base", 7], ["policy-4", "endpoint:a$b@http://x/v1", 20], ["gone", "base", 3]],
}


def test_each_figure_is_drawn_from_its_data(tmp_path):
    """Four pictures, whatever players are called; the same data again give the same bytes."""
    (tmp_path / "figures").mkdir()
    (tmp_path / "metrics.csv").write_text(ROWS)
    drawn = draw_league(tmp_path, RESULTS)
    assert [path.name for path in drawn] == [
        "win_rate.png",
        "exploitability.png",
        "ratings.png",
        "matches.png",
    ]
    first = [path.read_bytes() for path in drawn]
    assert all(data.startswith(b"\x89PNG") for data in first)
    assert [path.read_bytes() for path in draw_league(tmp_path, RESULTS)] == first


@pytest.mark.parametrize("rows", ["", "step,train/games\n1,5\n"])
def test_what_was_not_measured_is_not_drawn(tmp_path, rows):
    """No empty axes."""
    (tmp_path / "metrics.csv").write_text(rows)
    assert draw_league(tmp_path, {}) == []


def test_hundreds_of_policies_are_a_map_of_the_newest(tmp_path):
    """The map does not grow with the run."""
    (tmp_path / "figures").mkdir()
    players = [{"uid": f"policy-{n}", "iteration": n, "mu": 25.0 + n / 50, "sigma": 3.0} for n in range(300)]
    matches = [[f"policy-{n}", f"policy-{n - 1}", n] for n in range(1, 300)]
    drawn = draw_league(tmp_path, {"players": players, "matches": matches})
    assert [path.name for path in drawn] == ["ratings.png", "matches.png"]
    assert int.from_bytes(drawn[1].read_bytes()[20:24], "big") < 1_200
