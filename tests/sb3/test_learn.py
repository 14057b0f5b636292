"""learn(), evaluation and the environment's state, on CartPole with small networks."""

import re
import threading
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from stable_baselines3 import DQN, PPO, TD3, HerReplayBuffer
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.envs import BitFlippingEnv
from stable_baselines3.common.noise import NormalActionNoise, OrnsteinUhlenbeckActionNoise
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack, VecMonitor, VecNormalize

from kit import TrainingSession
from kit.errors import ConfigMismatchError, IntegrityError, UsageError
from kit.harness.summary import write_json
from kit.harness.watchdog import request_stop
from kit.report.process import ReportProcess
from kit.sb3 import Evaluation, learn, load_best
from kit.sb3.environment_state import EnvironmentState
from kit.sb3.state import ExactState
from kit.traffic.scenarios import load_scenario
from tests.crash.runs import contents, read
from tests.crash.trainer import stop_at
from tests.sb3.environments import Clocked

SMALL: dict[str, Any] = {"policy_kwargs": {"net_arch": [8]}}


class Locked(gymnasium.Wrapper):  # type: ignore[type-arg]
    """An environment that holds something that does not pickle."""

    def __init__(self) -> None:
        super().__init__(gymnasium.make("CartPole-v1"))
        self.lock = threading.Lock()


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without figures and page, which take longer than the training here."""
    monkeypatch.setattr(ReportProcess, "_ask", lambda *_: False)


def make_env() -> Any:
    """One CartPole."""
    return gymnasium.make("CartPole-v1")


def open_session(out: Any, steps: int = 200, **options: Any) -> TrainingSession:
    """Open a session on CartPole."""
    return TrainingSession.open(
        "cart", total_timesteps=steps, config={"seed": 0}, out=out, metrics_every=50, **options
    )


def evaluation(values: list[float], **settings: Any) -> Evaluation:
    """An evaluation that measures these values, one after another."""
    left = iter(values)
    return Evaluation(run=lambda _: {"delay": next(left)}, every=50, metric="delay", **settings)


def test_an_evaluation_keeps_the_best_model_and_its_rows(tmp_path):
    """Every 50 steps and at the end; the best of them is on disk, and load_best returns it."""
    with open_session(tmp_path / "run") as session:
        measured = evaluation([5.0, 3.0, float("nan"), 4.0, 9.0])
        model = learn(session, DQN, "MlpPolicy", make_env, evaluation=measured, learning_starts=10, **SMALL)
        best = read(tmp_path / "run", "best/best.json")
        assert (best["value"], best["metric"]) == (3.0, "delay")
        assert 100 <= best["step"] < 150
        assert isinstance(load_best(session, model), DQN)
        (tmp_path / "run/best/model.zip").write_bytes(b"not the one")
        with pytest.raises(IntegrityError, match=r"does not match best\.json"):
            load_best(session, model)
    header, *rows = (tmp_path / "run/metrics.csv").read_text().splitlines()
    column = header.split(",").index("eval_delay")
    assert [row.split(",")[column] for row in rows] == ["5.0", "3.0", "nan", "4.0"]


def test_without_an_evaluation_the_model_itself_is_the_best(tmp_path):
    """load_best returns what it was given."""
    with open_session(tmp_path / "run", 64) as session:
        model = learn(session, PPO, "MlpPolicy", make_env, n_steps=32, batch_size=32, **SMALL)
        assert load_best(session, model) is model


def test_better_is_less_or_more_and_never_nan():
    """Smaller wins unless more is asked for; the first number beats none."""
    less, more = evaluation([]), evaluation([], maximise=True)
    assert (less.better(1.0, 2.0), less.better(2.0, 1.0), less.better(1.0, 1.0)) == (True, False, False)
    assert (more.better(1.0, 2.0), more.better(2.0, 1.0)) == (False, True)
    assert (less.better(1.0, None), less.better(float("nan"), None)) == (True, False)
    with pytest.raises(UsageError, match="at least 1 environment step"):
        Evaluation(run=lambda _: {}, every=0, metric="x")
    with pytest.raises(UsageError, match="at least 1 measurement"):
        Evaluation(run=lambda _: {}, every=1, times=0, metric="x")


def test_the_interval_of_an_evaluation_can_be_a_share_of_the_total():
    """At most twelve in a run, however long; in a short one not more often than said."""
    asked = Evaluation(run=lambda _: {}, every=2_000, times=12, metric="x")
    intervals = [asked.for_total(total).every for total in (12_000, 24_000, 2_000_000)]
    assert intervals == [2_000, 2_000, 166_667]
    assert (
        asked.for_total(24_000).settings() == Evaluation(run=lambda _: {}, every=2_000, metric="x").settings()
    )


def test_other_hyperparameters_are_refused_and_change_nothing(tmp_path):
    """The setting is named with its path; the folder of the complete run is as it was."""
    settings = {"n_steps": 32, "batch_size": 32, **SMALL}
    with open_session(tmp_path / "run", 64) as session:
        learn(session, PPO, "MlpPolicy", make_env, **settings)
    before = contents(tmp_path / "run")
    with (
        pytest.raises(ConfigMismatchError, match=r"learn\.hyperparameters\.n_steps: 32 there, 16 asked for"),
        open_session(tmp_path / "run", 64) as session,
    ):
        learn(session, PPO, "MlpPolicy", make_env, **settings | {"n_steps": 16})
    assert contents(tmp_path / "run") == before


def test_a_trained_run_opened_again_trains_no_further(tmp_path):
    """The model comes back with its weights and steps, and what follows training can be done again."""
    settings = {"n_steps": 32, "batch_size": 32, **SMALL}
    models = []
    for _ in range(2):
        with open_session(tmp_path / "run", 64) as session:
            models.append(learn(session, PPO, "MlpPolicy", make_env, **settings))
            assert session.trained
    weights = [[p.detach().numpy().copy() for p in model.policy.parameters()] for model in models]
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))
    assert models[1].num_timesteps == 64


def test_steps_and_gradient_steps_are_counted_for_parallel_environments(tmp_path):
    """Phases collect and rollout add up to the environment steps of all environments, update to the gradient steps."""
    with open_session(tmp_path / "run", 400) as session:
        model = learn(
            session,
            DQN,
            "MlpPolicy",
            lambda: DummyVecEnv([make_env] * 4),
            learning_starts=100,
            train_freq=1,
            gradient_steps=2,
            **SMALL,
        )
    counts = {row["name"]: row["count"] for row in read(tmp_path / "run", "timing.json")["phases"]}
    assert counts["collect"] + counts["rollout"] == model.num_timesteps == 400
    assert counts["collect"] == 100
    assert counts["update"] == model._n_updates > 0
    assert session.scaler.n_envs == 4


def test_schedules_go_by_the_steps_asked_for_in_a_run_that_was_reduced(tmp_path):
    """Resumed under half its total, exploration goes on where it was; training ends at the first boundary after it."""
    settings = {"learning_starts": 10, "exploration_fraction": 1.0, **SMALL}
    with open_session(tmp_path / "run", 400) as session:
        request_stop(session.folder, "a test")
        learn(session, DQN, "MlpPolicy", make_env, **settings)
    record = read(tmp_path / "run", "run.json")
    write_json(tmp_path / "run/run.json", {**record, "total_timesteps": 200})
    with open_session(tmp_path / "run", 400) as session:
        model = learn(session, DQN, "MlpPolicy", make_env, **settings)
    assert read(tmp_path / "run")["status"] == "complete"
    assert 200 <= model.num_timesteps <= 204
    assert model._total_timesteps == 400
    assert model.exploration_rate == pytest.approx(1.0 - 0.95 * 200 / 400, abs=0.01)


@pytest.mark.parametrize(
    ("steps", "algorithm", "settings"),
    [
        (200, DQN, {"learning_starts": 10}),
        (230, DQN, {"learning_starts": 10}),
        (600, DQN, {"learning_starts": 10, "train_freq": 16}),
        (192, PPO, {"n_steps": 32, "batch_size": 32}),
    ],
)
def test_evaluations_are_planned_as_they_happen(tmp_path, steps, algorithm, settings):
    """Every 50 steps, six times at most and once at the end: the plan has as many episodes as the run took."""
    measured = Evaluation(run=lambda _: {"delay": 1.0}, every=50, times=6, metric="delay", episodes=3)
    with open_session(tmp_path / "run", steps) as session:
        learn(session, algorithm, "MlpPolicy", make_env, evaluation=measured, **settings, **SMALL)
    counts = {row["name"]: row["count"] for row in read(tmp_path / "run", "timing.json")["phases"]}
    assert session.planner.plan.count("evaluate", steps, {}) == counts["evaluate"]


def test_a_quick_test_contains_gradient_steps(tmp_path):
    """However late learning starts, the quick test goes on beyond it: its updates are measured."""
    with open_session(tmp_path / "run", 20_000, quick_test=True) as session:
        learn(session, DQN, "MlpPolicy", make_env, learning_starts=300, train_freq=8, **SMALL)
        assert session.total_timesteps == 300 + 2 * 500
    timing = read(tmp_path / "run", "timing.json")
    assert {row["name"]: row["count"] for row in timing["phases"]}["update"] > 50
    assert timing["measured"]["plan"]["rates"] == {"update": "rollout"}


@pytest.mark.parametrize(
    ("total", "trained"), [(24_000, 1_920), (6_000, 600), (12_000, 1_000), (96_000, 2_400)]
)
def test_a_quick_test_sees_whole_episodes_where_the_run_is_long_enough(tmp_path, total, trained):
    """Two of 240 decisions in each of four environments, up to a twelfth of the run; a fortieth where that is more."""
    with open_session(tmp_path / "run", total, quick_test=True) as session:
        make = partial(load_scenario("balanced").make_vec_env, 4, 0)
        learn(session, DQN, "MlpPolicy", make, learning_starts=100, train_freq=64, **SMALL)
        assert session.total_timesteps == 100 + trained


def test_an_environment_that_cannot_be_captured_makes_the_run_inexact(tmp_path):
    """It trains and resumes from the weights; the summary says why that is not bit for bit."""
    with open_session(tmp_path / "run", 64) as session:
        learn(session, PPO, "MlpPolicy", Clocked, n_steps=32, batch_size=32, **SMALL)
    summary = read(tmp_path / "run")
    assert (summary["status"], summary["exact"]) == ("complete", False)
    assert "replay: the environment's state did not come back" in summary["inexact_reason"]


@pytest.mark.parametrize(
    ("make", "method"),
    [
        (lambda: load_scenario("balanced").make_vec_env(2, 0), "get_state"),
        (lambda: DummyVecEnv([make_env] * 2), "pickle"),
        (lambda: DummyVecEnv([Locked]), "none"),
        (lambda: VecFrameStack(DummyVecEnv([make_env]), 2), "none"),
        (lambda: VecNormalize(load_scenario("balanced").make_vec_env(2, 0)), "none"),
        (lambda: VecMonitor(load_scenario("balanced").make_vec_env(2, 0)), "none"),
    ],
)
def test_an_environment_is_captured_by_the_first_way_that_works(make, method):
    """get_state before pickle before nothing; then the reason names the environment or its fault."""
    state = EnvironmentState(make())
    assert state.method == method
    assert (state.reason is None) == (method != "none")


def test_a_replay_buffer_that_is_not_captured_is_filled_anew_before_training_goes_on(tmp_path):
    """Hindsight replay cannot be drawn from before an episode has ended; the run resumes all the same, inexactly."""
    settings: dict[str, Any] = {"replay_buffer_class": HerReplayBuffer, "learning_starts": 20, **SMALL}
    for stop in (60, None):
        with open_session(tmp_path / "run", 120) as session:
            if stop:
                stop_at(session, stop)
            model: Any = learn(session, DQN, "MultiInputPolicy", lambda: BitFlippingEnv(8), **settings)
    summary = read(tmp_path / "run")
    assert (summary["status"], summary["exact"], model.learning_starts) == ("complete", False, 20 + 60)


class OtherBuffer(ReplayBuffer):
    """A replay buffer that may hold anything beside the arrays."""


class OtherPPO(PPO):
    """An algorithm that may remember anything."""


class OtherNoise(NormalActionNoise):
    """Action noise that may remember anything."""


NOISE = OrnsteinUhlenbeckActionNoise(np.zeros(1), np.ones(1))


@pytest.mark.parametrize(
    ("algorithm", "settings", "env", "reason"),
    [
        (DQN, {}, "CartPole-v1", None),
        (DQN, {"n_steps": 3}, "CartPole-v1", None),
        (PPO, {}, "Pendulum-v1", None),
        (PPO, {"use_sde": True}, "Pendulum-v1", None),
        (DQN, {"replay_buffer_class": OtherBuffer}, "CartPole-v1", "OtherBuffer"),
        (OtherPPO, {}, "CartPole-v1", "OtherPPO is not verified"),
        (TD3, {"action_noise": NOISE}, "Pendulum-v1", None),
        (TD3, {"action_noise": OtherNoise(np.zeros(1), np.ones(1))}, "Pendulum-v1", "OtherNoise"),
    ],
)
def test_exactness_is_promised_only_where_it_is_verified(algorithm, settings, env, reason):
    """The algorithms of the matrix with what is captured of them; anything else says what is missing."""
    if issubclass(algorithm, DQN | TD3):
        settings = {"buffer_size": 50, **settings}
    state = ExactState(algorithm("MlpPolicy", gymnasium.make(env), device="cpu", **SMALL, **settings))
    assert state.exact == (reason is None)
    assert reason is None or re.search(reason, str(state.reason))


@pytest.mark.parametrize("kind", ["get_state", "pickle"])
def test_a_restored_environment_goes_on_as_the_captured_one(kind):
    """The same actions give the same observations and rewards, across the end of episodes."""

    def make() -> Any:
        return (
            load_scenario("balanced").make_vec_env(2, 0)
            if kind == "get_state"
            else DummyVecEnv([make_env] * 2)
        )

    first, second = make(), make()
    first.seed(5)
    first.reset()
    actions = [np.array([step % 2, (step + 1) % 2]) for step in range(60)]
    for action in actions[:20]:
        first.step(action)
    captured = EnvironmentState(first).capture()
    expected = [first.step(action)[:3] for action in actions]
    second.reset()
    assert EnvironmentState(second).restore(captured)
    for action, wanted in zip(actions, expected, strict=True):
        for one, other in zip(second.step(action)[:3], wanted, strict=True):
            assert np.array_equal(one, other)


def test_a_capture_of_another_way_is_not_restored():
    """Where only a reset is possible the answer is no, and nothing is unpickled."""
    state = EnvironmentState(DummyVecEnv([make_env]))
    assert not state.restore({"method": "get_state", "state": {}})
    assert not EnvironmentState(DummyVecEnv([Locked])).restore({"method": "none"})
