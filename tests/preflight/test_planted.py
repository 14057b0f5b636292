"""Each check fails on a copy of a healthy notebook that has the one defect it is for, and names it."""

import json

import pytest
import torch

from tests.preflight.planted import LEARNS, TRAINS, failed, plant, quick_test_here

pytestmark = pytest.mark.usefixtures("_undrawn")

ENVIRONMENT = "make_env = defects.cart"
SETTINGS = 'hyperparameters = {"n_steps": 32, "batch_size": 32, "n_epochs": 2,'
DQN = (
    ("algorithm = PPO", "from stable_baselines3 import DQN\n\nalgorithm = DQN"),
    (SETTINGS, 'hyperparameters = {"learning_starts": 10, "buffer_size": 2_000,'),
)
BUFFER = 'hyperparameters = {"learning_starts": 10, "replay_buffer_class": defects.OwnBuffer,'
LATE = 'hyperparameters = {"learning_starts": 3_000,'
EVALUATED = 'run=lambda model: {"reward": defects.play(model, defects.cart(), [101, 102])},'
BY_CHANCE = EVALUATED.replace("[101, 102])", "[101, 102], deterministic=False)")


def environment(made: str) -> tuple[tuple[str, str], ...]:
    """Another environment in the notebook."""
    return ((ENVIRONMENT, f"make_env = {made}"),)


def settings(more: str) -> tuple[tuple[str, str], ...]:
    """More hyperparameters in the notebook."""
    return ((SETTINGS, SETTINGS + more),)


DEFECTS = {
    "units": (
        environment("lambda: defects.Observed(defects.in_other_units)"),
        "Observations inside their space",
        "leaves its bounds",
    ),
    "constant": (
        environment("lambda: defects.Observed(defects.nothing)"),
        "Observations not constant or clipped flat",
        "the same in all",
    ),
    "clipped": (
        environment("defects.clipped"),
        "Observations not constant or clipped flat",
        "clipped flat|the same in all",
    ),
    "no reward": (
        environment("lambda: defects.Rewarded(0.0)"),
        "Reward not identically zero, not NaN",
        "are zero",
    ),
    "deaf": (environment("defects.Deaf"), "Action changes the next state", "same observations"),
    "echo": (
        environment("lambda: defects.Deaf(echo=True)"),
        "Action changes the next state",
        "leaves nothing behind",
    ),
    "limit": (
        (*environment("defects.Limit"), (EVALUATED, EVALUATED.replace("defects.cart()", "defects.Limit()"))),
        "Terminated and truncated not confused",
        "after exactly 30 steps",
    ),
    "no gradient step": (
        (*DQN[:1], (SETTINGS, LATE), ("total_timesteps = 24_000", "total_timesteps = 2_000")),
        "Gradient steps happened",
        "no gradient step",
    ),
    "no learning rate": (
        settings(' "learning_rate": 0.0,'),
        "Weights changed",
        "None of 8 trainable weights",
    ),
    "evaluation": (
        ((EVALUATED, 'run=lambda model: {"reward": defects.play_in_training(model)},'),),
        "Evaluation environment is not the training one",
        "resets and 20 steps",
    ),
    "alternation": (
        (*environment("defects.PaidForChange"), ("total_timesteps = 24_000", "total_timesteps = 96")),
        "Alternating actions do not match the agent",
        "all of its training done",
    ),
    "schedule": (
        settings(' "learning_rate": defects.decay(10_000),'),
        "Schedule totals equal the planned timesteps",
        "learning_rate.total is 10,000",
    ),
    "no seed": (settings(' "seed": None,'), "Seed reaches model and environment", "seed=None"),
    "buffer": ((*DQN[:1], (SETTINGS, BUFFER)), "Resume round-trips, replay buffer included", "replay buffer"),
    "weights lost": (
        (("algorithm = PPO", "algorithm = defects.Forgetful"),),
        "Resume round-trips, replay buffer included",
        "weights",
    ),
    "loud": (environment("defects.Loud"), "Log frequency reduced", "a step are enough"),
    "episodes": (
        environment(
            'lambda: defects.gymnasium.make("CartPole-v1", max_episode_steps=8 if quick_test else 500)'
        ),
        "Episode length as in the full run",
        "quick_test",
    ),
    "total": (
        (("total_timesteps=total_timesteps", "total_timesteps=2_000"),),
        "Session opened for the planned timesteps",
        "opened for 2,000",
    ),
    "tiers": (
        (
            ('on_pressure = "report"', 'on_pressure = "tiers"'),
            ("total_timesteps = 24_000", "total_timesteps = 2_000"),
        ),
        "Adaptive timestep logic implemented",
        "no less than",
    ),
    "horizons": (
        (("horizons = [[500, 500], [500, 500]]", "horizons = [[500, 500], [40, 40]]"),),
        "Baseline and agent judged over equal horizons and seeds",
        "other horizons: 500, 500 and 40, 40",
    ),
    "days": (
        (("days = [[201, 202], [201, 202]]", "days = [[201, 202], [7, 8]]"),),
        "Baseline and agent judged over equal horizons and seeds",
        "not judged on the same seeds",
    ),
    "archive": (
        (("session.close()", 'session.close()\nsession.folder.archive.write_bytes(b"PK cut short")'),),
        "Final artifact finalization code tested",
        "artifacts.zip",
    ),
}


def test_the_notebook_is_healthy_without_a_defect(healthy):
    """No check fails on the notebook that the defects are planted in, and only power and length are noted."""
    assert_healthy(healthy.found)


@pytest.mark.slow
def test_it_is_healthy_with_a_replay_buffer(tmp_path):
    """DQN instead: no check fails, and the buffer comes back transition by transition."""
    found = quick_test_here(plant(LEARNS, tmp_path, *DQN), tmp_path / "run", total_timesteps=2_000)
    assert_healthy(found)
    one = found["Resume round-trips, replay buffer included"]
    assert (one.status, "609 transitions" in one.saw) == ("pass", True)


def assert_healthy(found):
    """Nothing failed, and nothing is noted but what a short quick test cannot tell."""
    assert failed(found) == []
    noted = {name for name, one in found.items() if one.status == "note"}
    assert noted <= {
        "Alternating actions do not match the agent",
        "Reward not identically zero, not NaN",  # 1 a step, always
        "Watchdog alive",
    }


@pytest.mark.slow
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_named(tmp_path, defect):
    """The check that the defect is for fails, says what it saw, and no other check is led astray."""
    changes, name, saw = DEFECTS[defect]
    found = quick_test_here(plant(LEARNS, tmp_path, *changes), tmp_path / "run")
    assert found[name].status == "fail", found[name]
    assert any(words in found[name].saw for words in saw.split("|")), found[name].saw
    assert found[name].todo != "nothing"
    assert set(failed(found)) <= {name, *FOLLOW.get(defect, ())}


FOLLOW = {
    "constant": {"Action changes the next state"},  # what is not observed cannot show an effect
    "clipped": {"Action changes the next state"},
    "no gradient step": {"Weights changed", "Alternating actions do not match the agent"},  # which it is for
}
"""What else has to fail with a defect."""


TOGETHER = {
    "around the training": ("schedule", "no seed", "episodes", "total", "horizons", "archive"),
    "in what trains": ("no reward", "deaf", "limit", "no learning rate", "evaluation"),
}
ALL_IN_ONE = "lambda: defects.Deaf(env=defects.Rewarded(0.0, defects.Limit()))"


@pytest.mark.parametrize("names", TOGETHER.values(), ids=TOGETHER)
def test_defects_that_do_not_touch_each_other_are_each_named(tmp_path, names):
    """Five or six at once, in one copy: one does not hide another, and no other check is led astray."""
    changes = [change for name in names for change in DEFECTS[name][0]]
    if "deaf" in names:  # three of them are wrappers, here around one another
        others = [change for change in changes if change[0] not in (ENVIRONMENT, EVALUATED)]
        changes = [*others, *environment(ALL_IN_ONE), *DEFECTS["evaluation"][0]]
    settings_of = [change for change in changes if change[0] == SETTINGS]
    both = (SETTINGS, SETTINGS + "".join(new.removeprefix(SETTINGS) for _, new in settings_of))
    others = [change for change in changes if change[0] != SETTINGS]
    found = quick_test_here(plant(LEARNS, tmp_path, both, *others), tmp_path / "run")
    assert set(failed(found)) == {DEFECTS[name][1] for name in names}


def test_a_reward_that_is_no_number_is_named_though_its_training_crashes(tmp_path):
    """What was seen of the environment is on disk before the training begins: here also that it shows nothing."""
    blind = "defects.Observed(defects.nothing)"
    notebook = plant(LEARNS, tmp_path, *environment(f'lambda: defects.Rewarded(float("nan"), {blind})'))
    with pytest.raises(ValueError, match="invalid values"):
        quick_test_here(notebook, tmp_path / "run")
    live = json.loads((tmp_path / "run/.kit/preflight.json").read_text())["checks"]
    seen = {check["name"]: (check["status"], check["saw"]) for check in live}
    status, saw = seen["Reward not identically zero, not NaN"]
    assert (status, "not finite" in saw) == ("fail", True)
    status, saw = seen["Observations not constant or clipped flat"]
    assert (status, "the same in all" in saw) == ("fail", True)
    assert "Weights changed" not in seen


@pytest.mark.slow
def test_an_environment_that_raises_is_named_before_its_training_fails(tmp_path):
    """The checks that met the error say so, and it is on disk."""
    notebook = plant(LEARNS, tmp_path, *environment("defects.Raising"))
    with pytest.raises(ValueError, match="gave up"):
        quick_test_here(notebook, tmp_path / "run")
    live = json.loads((tmp_path / "run/.kit/preflight.json").read_text())["checks"]
    raised = [check["name"] for check in live if "a simulator that gave up" in check["saw"]]
    assert "Observations inside their space" in raised


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="the GPU that is asked for is there")
def test_a_gpu_that_is_asked_for_and_missing_is_named(tmp_path):
    """SB3 falls back to the CPU without a word; the check does not."""
    found = quick_test_here(plant(LEARNS, tmp_path, *settings(' "device": "cuda",')), tmp_path / "run")
    assert found["GPU asked for and really used"].status == "fail"


@pytest.mark.slow
def test_an_evaluation_that_draws_from_the_global_generators_is_noted(tmp_path):
    """It changes the training by how often it comes."""
    found = quick_test_here(plant(LEARNS, tmp_path, (EVALUATED, BY_CHANCE)), tmp_path / "run")
    one = found["Evaluation environment is not the training one"]
    assert (one.status, "torch" in one.saw) == ("note", True)


@pytest.mark.slow
def test_a_fall_told_as_a_time_limit_is_noted(tmp_path):
    """Episodes cut off at different lengths are no proof, since a limit may vary."""
    found = quick_test_here(plant(LEARNS, tmp_path, *environment("defects.Fallen")), tmp_path / "run")
    one = found["Terminated and truncated not confused"]
    assert (one.status, "different lengths" in one.saw) == ("note", True)


def test_a_loop_of_ones_own_is_looked_at_by_what_it_registered(tmp_path):
    """Its numbers changed and came back; what it never handed in is noted, by the reason."""
    found = quick_test_here(plant(TRAINS, tmp_path), tmp_path / "run")
    assert failed(found) == []
    assert found["Weights changed"].saw.startswith("1 of 1 trainable weights changed")
    assert found["Resume round-trips, replay buffer included"].status == "pass"
    assert "no environment" in found["Action changes the next state"].saw


STILL = ("distance = walk.advance()", "distance = 1.0")
NO_UPDATES = ('fail = ""', 'fail = "no updates"')
MADE = "walk = kind(seed, pause_s)"
FORGETS = (MADE, f"{MADE}\nwalk.load_state_dict = lambda state: None")
WITHOUT_ROWS = ("        session.record(distance=distance)", "        pass")
IN_A_LOOP = {
    "still": ((STILL,), {"Weights changed"}),
    "no updates": ((NO_UPDATES,), {"Gradient steps happened"}),
    "forgets": ((FORGETS,), {"Resume round-trips, replay buffer included"}),
    "no rows": ((WITHOUT_ROWS,), {"Intermediate CSV export working"}),
}
IN_A_LOOP["three"] = (
    (NO_UPDATES, FORGETS, WITHOUT_ROWS),
    set().union(*(IN_A_LOOP[n][1] for n in list(IN_A_LOOP)[1:])),
)
"""Changes in a loop, and the checks that they fail."""


@pytest.mark.parametrize(
    "defect", [pytest.param(n, marks=() if n == "three" else pytest.mark.slow) for n in IN_A_LOOP]
)
def test_a_defect_in_a_loop_of_ones_own_is_named(tmp_path, defect):
    """A loop that moves or saves nothing or measures no update, and an object that does not take its state back."""
    changes, names = IN_A_LOOP[defect]
    assert set(failed(quick_test_here(plant(TRAINS, tmp_path, *changes), tmp_path / "run"))) == names
