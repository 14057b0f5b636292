"""The episodes of a quick test beside those of the full run: what is seen of them, and what is made of that."""

from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecFrameStack

import validation_cli
from kit.errors import PreflightError
from kit.harness.clock import SYSTEM_CLOCK
from kit.harness.run_folder import RunFolder
from kit.harness.summary import read_json
from kit.preflight.check import FAIL, NOTE, PASS
from kit.preflight.episodes import EpisodesSeen, Lengths, horizon_of_evaluation, look_at_lengths
from kit.preflight.live_record import read_live
from kit.sb3.declared_horizon import declared_horizons
from kit.sb3.entrance import goes_beyond
from kit.sb3.episode_watch import EpisodeWatch
from kit.traffic.scenarios import load_scenario
from tests.preflight import defects
from tests.preflight.planted import LEARNS, failed, notebook_here, plant, quick_test_here
from tests.sb3.environments import Drift
from tests.traffic.sumo_installed import needs_sumo

pytestmark = pytest.mark.usefixtures("_undrawn")

NAME = "Episode length as in the full run"
OPENED = 'model = learn(session, algorithm, "MlpPolicy", make_env, evaluation=evaluation, **hyperparameters)'
SHORT = "8 if session.total_timesteps < total_timesteps else 500"
"""By the length of the session's training: nothing that the cells call quick_test."""
DECLARED = f'make_env = lambda: defects.gymnasium.make("CartPole-v1", max_episode_steps={SHORT})'
HIDDEN = f"make_env = lambda: defects.CutAt({SHORT})"


def seen(over: Any = (), cut: Any = (), under_way: int = 0, **declared: int) -> EpisodesSeen:
    """Return episodes of these lengths."""
    return EpisodesSeen(Lengths.of(over), Lengths.of(cut), under_way, declared)


@pytest.mark.parametrize(
    ("episodes", "evaluated", "status", "says"),
    [
        (
            seen(under_way=96, spec=500),
            0,
            PASS,
            "No episode of the quick test ended; the longest was at step 96",
        ),
        (seen(under_way=96), 0, NOTE, "declares no horizon"),
        (seen(over=[9, 31], spec=500), 500, PASS, "2 ended by themselves after 9 to 31 steps"),
        (seen(cut=[240] * 4, horizon=240), 240, PASS, "4 were cut off after 240 steps"),
        (seen(cut=[240]), 0, PASS, "1 was cut off after 240 steps"),
        (seen(cut=[8] * 4, spec=500), 500, FAIL, "The evaluation plays 500"),
        (seen(cut=[8] * 4, spec=500), 0, NOTE, "declares 500 (spec)"),
        (seen(cut=[50] * 4, spec=200), 50, NOTE, "declares 200"),
        (seen(cut=[8] * 4, spec=8), 500, NOTE, "The evaluation plays 500"),
        (seen(cut=[8, 9], spec=500), 500, NOTE, "after 8 to 9 steps"),
        (seen(over=[31], cut=[8] * 4, spec=500), 500, PASS, "4 were cut off after 8 steps"),
    ],
)
def test_lengths_are_judged_by_what_is_declared_and_evaluated(episodes, evaluated, status, says):
    """Short of both fails; short of one of them is noted, since a wrapper may repeat actions; else it passes."""
    verdict = look_at_lengths(episodes, evaluated)
    assert (verdict.status, says in verdict.saw) == (status, True), verdict


@given(st.lists(st.lists(st.sampled_from(["goes on", "over", "cut"]), min_size=2, max_size=2), max_size=30))
def test_every_step_belongs_to_one_episode(steps):
    """The lengths of what ended and of what is under way add up to the steps, in each of two environments."""
    watch = EpisodeWatch()
    for ends in steps:
        dones = np.array([end != "goes on" for end in ends])
        watch.step(dones, [{"TimeLimit.truncated": end == "cut"} for end in ends])
    found = watch.seen({})
    assert found.over.count + found.cut.count == sum(end != "goes on" for ends in steps for end in ends)
    last = [max((at for at, ends in enumerate(steps, 1) if ends[e] != "goes on"), default=0) for e in (0, 1)]
    assert found.under_way == len(steps) - min(last)
    assert EpisodesSeen.from_json(found.as_json()) == found


def test_lengths_of_episodes_by_hand():
    """Ends after steps 2 and 5 of one environment: episodes of 2 and 3 steps, and one step that is under way."""
    watch = EpisodeWatch()
    for step in range(1, 7):
        watch.step(np.array([step in (2, 5)]), [{"TimeLimit.truncated": step == 5}])
    assert watch.seen({"horizon": 3}) == EpisodesSeen(Lengths(1, 2, 2), Lengths(1, 3, 3), 1, {"horizon": 3})


@pytest.mark.parametrize(
    ("made", "names"),
    [
        (lambda: DummyVecEnv([defects.cart]), {"_max_episode_steps": 500, "spec.max_episode_steps": 500}),
        (lambda: VecFrameStack(DummyVecEnv([defects.cart] * 2), 2), {"spec.max_episode_steps": 500}),
        (lambda: load_scenario("balanced").make_vec_env(2, 0), {"horizon_decisions": 240}),
        (lambda: DummyVecEnv([Drift]), {}),
        pytest.param(
            lambda: load_scenario("cologne1").make_vec_env(1, 0),
            {"horizon_decisions": 240},
            marks=[pytest.mark.slow, needs_sumo],
        ),
        pytest.param(
            lambda: SubprocVecEnv([defects.cart], start_method="fork"),
            {"_max_episode_steps": 500},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["time limit", "stack", "batch", "none", "city", "processes"],
)
def test_a_horizon_is_found_wherever_it_is_declared(made, names):
    """In a time limit, a specification or an attribute, through wrappers; nothing is made up where there is none."""
    env = made()
    found = declared_horizons(env)
    env.close()
    assert names.items() <= found.items()
    assert bool(names) == bool(found)


def test_the_horizon_of_an_evaluation_is_read_where_all_of_it_agrees():
    """From the lengths of its series or a column of horizons; two that differ are none, nor is what is no number."""
    series = {"series": [{"controller": "a", "time_s": [15, 30, 45]}]}
    assert horizon_of_evaluation({"evaluation": series}) == 3
    assert horizon_of_evaluation({"evaluation": {"controllers": [{"horizons": [500, 500]}]}}) == 500
    assert horizon_of_evaluation({"evaluation": {"controllers": [{"horizon": 3}, {"horizon": 4}]}}) == 0
    assert horizon_of_evaluation({}) == 0
    odd = {"series": [3, {"time_s": None}], "controllers": {"horizon": 3}}
    assert horizon_of_evaluation({"evaluation": odd}) == 0
    assert horizon_of_evaluation({"evaluation": [1]}) == 0
    assert (
        horizon_of_evaluation(
            {"evaluation": {"controllers": [{"horizon": "240"}, {"horizons": [[1], None]}]}}
        )
        == 0
    )


def test_playing_shows_whether_an_episode_goes_beyond_a_limit():
    """A cart that is cut off at 8 never goes beyond 8, and one that is cut off at 9 does."""
    for most, beyond in ((8, False), (9, True)):
        env = DummyVecEnv([partial(defects.CutAt, most)])
        assert goes_beyond(env, 8, SYSTEM_CLOCK) is beyond


def test_a_short_quick_test_is_told_from_what_it_trained_on(tmp_path):
    """No cell says quick_test, and no attribute: cut off at 8, where 500 are declared and evaluated, fails by name."""
    found = quick_test_here(plant(LEARNS, tmp_path, (OPENED, f"{HIDDEN}\n{OPENED}")), tmp_path / "run-quick")
    assert failed(found) == [NAME]
    assert "cut off after 8 steps" in found[NAME].saw


@pytest.mark.slow
def test_a_full_run_beyond_an_undeclared_limit_is_not_begun(tmp_path):
    """Where nothing declares what the quick test was cut off at, playing beyond it shows the difference."""
    notebook = plant(LEARNS, tmp_path, (OPENED, f"{HIDDEN}\n{OPENED}"))
    quick_test_here(notebook, tmp_path / "run-quick")
    with pytest.raises(
        PreflightError, match=f"{NAME}: An episode of this run's environment goes on beyond step 8"
    ):
        notebook_here(notebook, tmp_path / "run")
    assert not (tmp_path / "run/run.json").exists()


def test_a_full_run_with_another_horizon_than_its_quick_test_is_not_begun(tmp_path):
    """The quick test alone cannot know; the run compares, and names the check and both horizons."""
    notebook = plant(LEARNS, tmp_path, (OPENED, f"{DECLARED}\n{OPENED}"))
    found = quick_test_here(notebook, tmp_path / "run-quick")
    assert (found[NAME].status, "The evaluation plays 500" in found[NAME].saw) == ("note", True)
    with pytest.raises(
        PreflightError, match=f"{NAME}: .* of 8 steps, this run's one of 500 .*max_episode_steps"
    ):
        notebook_here(notebook, tmp_path / "run")
    assert not (tmp_path / "run/run.json").exists()


def test_a_run_like_its_quick_test_begins_and_is_not_looked_at(healthy):
    """Nothing is refused; the checks belong to the quick test, and the run pays nothing for them."""
    folder = healthy.folder.with_name("run")
    notebook_here(healthy.notebook, folder)
    assert read_json(folder / "summary.json")["status"] == "complete"
    assert read_live(RunFolder(folder)) == []
    assert "preflight" not in {row["name"] for row in read_json(folder / "timing.json")["phases"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    "made", ["defects.cart", "lambda: defects.CutAt(8)"], ids=["declared", "not declared"]
)
def test_a_run_beside_its_quick_test_trains_as_it_would_without(tmp_path, made):
    """Comparing horizons, or playing beyond the quick test's, changes no byte of the rows."""
    total = ("total_timesteps = 24_000", "total_timesteps = 128")
    notebook = plant(LEARNS, tmp_path, total, ("make_env = defects.cart", f"make_env = {made}"))
    quick_test_here(notebook, tmp_path / "run-quick")
    for name in ("run", "alone"):
        notebook_here(notebook, tmp_path / name)
    rows = [(tmp_path / name / "metrics.csv").read_bytes() for name in ("run", "alone")]
    assert rows[0] == rows[1]


@pytest.mark.slow
def test_the_command_refuses_such_a_run_and_begins_it_when_told_to(tmp_path, capsys):
    """Exit 1 with the name of the check from the kernel; --skip-checks begins it."""
    settings = ("total_timesteps = 24_000", "total_timesteps = 2_000")
    saved = ('session.save_results({"evaluation": {"controllers": table}})', "pass")
    notebook = plant(LEARNS, tmp_path, settings, saved, (OPENED, f"{DECLARED}\n{OPENED}"))
    assert validation_cli.main(["quick-test", str(notebook), "--out", str(tmp_path / "run-quick")]) == 0
    words = ("run", str(notebook), "--out", str(tmp_path / "run"))
    assert validation_cli.main(words) == 1
    assert f"The run was not begun. {NAME}" in capsys.readouterr().err
    assert not (tmp_path / "run/run.json").exists()
    assert validation_cli.main([*words, "--skip-checks"]) == 0


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "MountainCar-v0", "Acrobot-v1"])
def test_classic_control_declares_what_it_is_cut_off_at(name):
    """What a healthy environment declares is where its episodes end, so nothing fails on it."""
    env = DummyVecEnv([partial(gymnasium.make, name)])
    limit = gymnasium.spec(name).max_episode_steps
    assert set(declared_horizons(env).values()) == {limit}
    assert (
        look_at_lengths(EpisodesSeen(cut=Lengths.of([limit] * 3), declared=declared_horizons(env))).status
        == PASS
    )
