"""No check fails on a healthy training: Gymnasium's classic control, our own scenarios, and the algorithms we run."""

from functools import partial
from typing import Any

import gymnasium
import pytest
from sb3_contrib import MaskablePPO, RecurrentPPO
from sb3_contrib.common.envs import InvalidActionEnvDiscrete
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecFrameStack, VecNormalize

from kit import TrainingSession
from kit.preflight.catalogue import LIVE
from kit.preflight.live_record import read_live
from kit.sb3 import learn
from kit.traffic.scenarios import load_scenario
from tests.preflight.planted import notebook_here
from tests.sb3.environments import Clocked, Drift, Mapped
from tests.traffic.sumo_installed import needs_sumo

pytestmark = pytest.mark.usefixtures("_undrawn")

SMALL: dict[str, Any] = {"policy_kwargs": {"net_arch": [8]}}
ON: dict[str, Any] = {"n_steps": 32, "batch_size": 32, "n_epochs": 2, **SMALL}
OFF: dict[str, Any] = {"learning_starts": 10, "buffer_size": 2_000, **SMALL}
CLASSIC = ("CartPole-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Acrobot-v1", "Pendulum-v1")


def looked_at(
    out: Any, make_env: Any, algorithm: Any = PPO, policy: str = "MlpPolicy", **settings: Any
) -> dict[str, Any]:
    """Run a quick test of a long training; return the findings beside the living model, by name."""
    settings = settings or ON
    with TrainingSession.open(
        "healthy", total_timesteps=100_000, config={"seed": 0}, out=out, quick_test=True, metrics_every=50
    ) as session:
        if "learning_starts" in settings:
            session.quick_steps = lambda _: TrainingSession.quick_steps(
                session, 100
            )  # long enough for a look
        learn(session, algorithm, policy, make_env, **settings)
    return {finding.name: finding for finding in read_live(session.folder)}


def assert_healthy(found: dict[str, Any]) -> None:
    """Every check was made, and none failed."""
    assert set(found) == {check.name for check in LIVE}
    assert [finding for finding in found.values() if finding.status == "fail"] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSIC)
def test_no_check_fails_on_classic_control(tmp_path, name):
    """Rewards that are constant are a note, time limits are no terminations, and continuous actions have effects."""
    found = looked_at(tmp_path / "run", partial(gymnasium.make, name))
    assert_healthy(found)
    if name in ("MountainCar-v0", "Acrobot-v1", "Pendulum-v1"):
        assert "cut off" in found["Terminated and truncated not confused"].saw


@pytest.mark.parametrize(
    "scenario",
    [pytest.param("balanced"), *(pytest.param(name, marks=pytest.mark.slow) for name in ("3to1", "varying"))],
)
def test_no_check_fails_on_the_embedded_scenarios(tmp_path, scenario):
    """Nor does one note anything of their environment."""
    place = load_scenario(scenario)
    found = looked_at(tmp_path / "run", partial(place.make_vec_env, 4, 0))
    assert_healthy(found)
    assert {name for name, one in found.items() if one.status == "note"} <= {
        "Alternating actions do not match the agent"
    }


@pytest.mark.slow
@needs_sumo
@pytest.mark.parametrize("scenario", ["cologne1", "ingolstadt1"])
def test_no_check_fails_on_real_cities(tmp_path, scenario):
    """Simulators in processes of their own answer like any other."""
    assert_healthy(looked_at(tmp_path / "run", partial(load_scenario(scenario).make_vec_env, 2, 0)))


def normalised() -> VecNormalize:
    """A stack with running statistics, whose observations lie outside of the space."""
    return VecNormalize(DummyVecEnv([partial(gymnasium.make, "Pendulum-v1")] * 2))


def framed() -> VecFrameStack:
    """The last two observations at once."""
    return VecFrameStack(DummyVecEnv([Drift] * 2), 2)


def masked() -> Any:
    """Some actions are illegal."""
    return InvalidActionEnvDiscrete(dim=8, n_invalid_actions=3)


def in_processes() -> SubprocVecEnv:
    """Environments in processes of their own."""
    return SubprocVecEnv([partial(gymnasium.make, "CartPole-v1")] * 2, start_method="fork")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "policy", "make_env", "settings"),
    [
        (DQN, "MlpPolicy", Drift, OFF),
        (SAC, "MlpPolicy", partial(gymnasium.make, "Pendulum-v1"), OFF),
        (TD3, "MlpPolicy", normalised, OFF),
        (A2C, "MlpPolicy", framed, SMALL),
        (PPO, "MultiInputPolicy", Mapped, ON),
        (PPO, "MlpPolicy", in_processes, ON),
        (RecurrentPPO, "MlpLstmPolicy", Drift, {**ON, "policy_kwargs": {"lstm_hidden_size": 8}}),
        (MaskablePPO, "MlpPolicy", masked, ON),
    ],
    ids=[
        "DQN",
        "SAC",
        "TD3-normalised",
        "A2C-frames",
        "PPO-dict",
        "PPO-processes",
        "RecurrentPPO",
        "MaskablePPO",
    ],
)
def test_no_check_fails_with_any_kind_of_algorithm_and_wrapper(
    tmp_path, algorithm, policy, make_env, settings
):
    """Continuous actions, memory, masks, dictionaries, normalised and stacked observations are all looked at."""
    assert_healthy(looked_at(tmp_path / "run", make_env, algorithm, policy, **settings))


@pytest.mark.slow
def test_what_is_chance_is_not_taken_for_an_effect(tmp_path):
    """Where an environment does not repeat itself, that is noted, and nothing is said of its actions."""
    found = looked_at(tmp_path / "run", Clocked)
    assert (
        found["Action changes the next state"].status,
        found["Seed reaches model and environment"].status,
    ) == (
        "note",
        "note",
    )


def test_a_quick_test_trains_as_it_would_without_being_looked_at(healthy, tmp_path, monkeypatch):
    """The checks draw no number that the training would have drawn: its rows are the same bytes."""
    from kit.sb3.preflight import Inspection

    monkeypatch.setattr(Inspection, "of", lambda *_: None)
    notebook_here(healthy.notebook, tmp_path / "unseen", quick_test=True)
    rows = [(folder / "metrics.csv").read_bytes() for folder in (healthy.folder, tmp_path / "unseen")]
    assert rows[0] == rows[1]
