"""How an environment's own state comes back: found by trial, and the same run whether it was interrupted or not."""

import os
import re
import signal
from typing import Any

import gymnasium
import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

from kit import TrainingSession
from kit.errors import IntegrityError, KitError, UsageError
from kit.harness.cadence import Cadence
from kit.report.process import ReportProcess
from kit.sb3 import EpisodeProcess, Replayable, learn
from kit.sb3.environment_state import CaptureMethod, EnvironmentState
from kit.sb3.environment_trial import capture_method, try_methods
from tests.crash.trainer import stop_at, weights_of
from tests.sb3.environments import Clocked, Drift, Forgetful, GlobalNumpy, Locked, Mapped, Remembering

PPO_SMALL: dict[str, Any] = {
    "policy_kwargs": {"net_arch": [8]},
    "n_steps": 16,
    "batch_size": 16,
    "n_epochs": 1,
    "device": "cpu",
}


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without figures and page, which take longer than the training here."""
    monkeypatch.setattr(ReportProcess, "_ask", lambda *_: False)


class Dying(Drift):
    """Its process dies in the first step."""

    def step(self, action: Any) -> Any:
        """Die."""
        os._exit(3)


@pytest.mark.parametrize(
    ("make", "method"),
    [
        (lambda: gymnasium.make("CartPole-v1"), "pickle"),
        (lambda: gymnasium.make("FrozenLake-v1"), "pickle"),
        (lambda: gymnasium.make("Pendulum-v1"), "pickle"),
        (Mapped, "pickle"),
        (lambda: gymnasium.wrappers.TransformReward(Drift(), lambda reward: 2 * reward), "pickle"),
        (GlobalNumpy, "pickle"),
        (Forgetful, "replay"),
        (Locked, "replay"),
        (lambda: DummyVecEnv([Locked] * 2), "replay"),
        (lambda: Replayable(Locked()), "env_method"),
    ],
)
def test_the_first_way_that_brings_it_back_exactly_is_taken(make, method):
    """Found by comparing, not by whether it pickles: an EzPickle environment comes back as it was constructed."""
    assert try_methods(make) == CaptureMethod(method)


def test_what_comes_back_by_no_way_says_why_of_each():
    """An environment that looks at the clock: every way is named with what was wrong."""
    found = try_methods(Clocked)
    assert found.name == "none"
    for part in (
        "get_state: DummyVecEnv has none",
        "pickle: .*lock",
        "replay: .*differs at step",
        "process: ",
    ):
        assert re.search(part, str(found.reason))


def test_hidden_state_of_the_process_needs_a_process_for_each_episode():
    """Neither pickle nor replay bring back what the simulator remembers of earlier episodes."""
    assert try_methods(Remembering) == CaptureMethod("process")


def test_a_trial_disturbs_no_generator_and_is_made_once(tmp_path):
    """The global generators are as before; the second session takes what the first found."""
    made = []

    def make() -> Any:
        made.append(1)
        return GlobalNumpy()

    np.random.seed(7)
    expected = np.random.normal()
    np.random.seed(7)
    assert capture_method(make, tmp_path / "environment.json").name == "pickle"
    assert np.random.normal() == expected
    tried = len(made)
    assert capture_method(make, tmp_path / "environment.json").name == "pickle"
    assert len(made) == tried + 1


def run(folder: Any, make: Any, cut_at: int | None = None) -> tuple[dict[str, Any], bytes]:
    """Train 96 steps of PPO, or until a stop at ``cut_at``; return the summary's facts and the weights."""
    session = TrainingSession.open(
        "drift", total_timesteps=96, config={"seed": 3}, out=folder, metrics_every=16, cadence=Cadence()
    )
    with session:
        if cut_at is not None:
            stop_at(session, cut_at)
        model = learn(session, PPO, "MlpPolicy", make, **PPO_SMALL)
    env = model.get_env()
    assert env is not None
    env.close()
    facts = {"exact": session.exact, "reason": session.inexact_reason, "step": session.step}
    return facts, weights_of(model.policy)


def assert_cut_like_whole(folder: Any, make: Any) -> None:
    """A run that was stopped half-way and continued ends in the weights and rows of one that was not."""
    whole = run(folder / "whole", make)
    assert whole[0]["exact"], whole[0]["reason"]
    assert run(folder / "cut", make, cut_at=40)[0]["step"] < 96
    assert run(folder / "cut", make) == whole
    rows = [(folder / name / "metrics.csv").read_bytes() for name in ("whole", "cut")]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("kind", ["replay", "file", "dummy"])
def test_a_replayed_environment_continues_bit_for_bit(tmp_path, kind):
    """Without pickle, with a Monitor that has a file open, and two side by side."""
    make: Any = {
        "replay": Locked,
        "file": lambda: Monitor(Drift(), str(tmp_path / "monitor.csv")),
        "dummy": lambda: DummyVecEnv([Locked] * 2),
    }[kind]
    assert_cut_like_whole(tmp_path, make)


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2])
def test_an_environment_in_processes_of_its_own_continues_bit_for_bit(tmp_path, n):
    """Exact, although what the simulator remembers is lost with the process that was stopped."""
    assert_cut_like_whole(tmp_path, Remembering if n == 1 else lambda: DummyVecEnv([Remembering] * n))


def replayable() -> Any:
    """An environment for a SubprocVecEnv."""
    return Replayable(Monitor(Locked()))


@pytest.mark.slow
def test_a_subproc_vec_env_comes_back_with_replayable_and_says_so_without(tmp_path):
    """The reason names what to put around each environment."""
    assert_cut_like_whole(tmp_path, lambda: SubprocVecEnv([replayable] * 2))
    found = try_methods(lambda: SubprocVecEnv([Locked] * 2))
    assert (found.name, "put kit.sb3.Replayable around it" in str(found.reason)) == ("none", True)


def test_a_replay_that_differs_names_the_step():
    """Another environment than the one that was captured: never silently accepted."""
    env = Replayable(Drift())
    env.reset(seed=1)
    for _ in range(4):
        env.step(1)
    state = env.get_state()
    Replayable(Drift()).set_state(state)
    state["actions"][2] = 0
    with pytest.raises(IntegrityError, match="differs at step 3 of 4"):
        Replayable(Drift()).set_state(state)
    with pytest.raises(UsageError, match="of one kind"):
        env.step(np.float32(1.0))


def test_a_long_episode_is_kept_whole():
    """More steps than the first arrays have room for; and before any reset there is nothing to play."""

    class Endless(Drift):
        def step(self, action: Any) -> Any:
            observation, reward, *_ = super().step(action)
            return observation, reward, False, False, {}

    env, other = Replayable(Endless()), Replayable(Endless())
    other.set_state(env.get_state())
    env.reset(seed=2)
    for step in range(1000):
        env.step(step % 2)
    other.set_state(env.get_state())
    assert np.array_equal(env.step(1)[0], other.step(1)[0])
    assert np.array_equal(env.reset()[0], other.reset()[0])


def test_a_state_captured_otherwise_is_not_restored_and_says_so():
    """The reason names both ways."""
    state = EnvironmentState(DummyVecEnv([Drift]), CaptureMethod("pickle"))
    assert not state.restore({"method": "replay", "states": []})
    assert "captured by replay, and here pickle" in str(state.reason)


def test_ctrl_c_does_not_end_the_processes_of_replayed_environments():
    """They are there until the run has taken its last checkpoint; in the training process Ctrl-C is as it was."""
    before = signal.getsignal(signal.SIGINT)
    env = SubprocVecEnv([lambda: Replayable(Drift())], start_method="fork")
    env.reset()
    os.kill(env.processes[0].pid, signal.SIGINT)
    env.step(np.array([1]))
    env.close()
    assert signal.getsignal(signal.SIGINT) == before
    Replayable(Drift())
    assert signal.getsignal(signal.SIGINT) == before


def test_a_process_that_dies_is_an_error_and_none_is_left():
    """The error says what happened; after close the server is gone."""
    env = EpisodeProcess(Dying)
    env.reset(seed=1)
    with pytest.raises(KitError, match="died in step"):
        env.step(1)
    env.reset(seed=1)
    server = env._end_server.peek()[2][1]  # type: ignore[attr-defined]
    env.close()
    assert server.returncode is not None
