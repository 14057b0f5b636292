import random
import threading

import gymnasium
import numpy as np
import pytest
import torch
from sb3_contrib import ARS, QRDQN, TRPO, RecurrentPPO
from stable_baselines3 import A2C, DQN, PPO, SAC, HerReplayBuffer
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from kit.errors import UsageError
from kit.harness.clock import ManualClock
from kit.randomness import capture_generators
from kit.sb3 import probe
from kit.sb3.probed_turns import ProbedTurns
from kit.tensors import encode
from kit.timing.probing import Probing
from tests.sb3.environments import Drift

SMALL = {"policy_kwargs": {"net_arch": [8]}}


class Slow(Drift):
    """Every step takes 2 s of a clock of its own, waiting."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.clock = clock

    def step(self, action):
        """Drift, slowly."""
        self.clock.advance(2.0)
        return super().step(action)


class Goal(Drift):
    """Drift towards a goal, as hindsight replay wants it."""

    def __init__(self) -> None:
        super().__init__()
        inner = self.observation_space
        names = ("observation", "achieved_goal", "desired_goal")
        self.observation_space = gymnasium.spaces.Dict(dict.fromkeys(names, inner))

    def observed(self):
        """Where it is, and where it should be."""
        at = super().observed()
        return {"observation": at, "achieved_goal": at, "desired_goal": np.zeros(2, np.float32)}

    def compute_reward(self, achieved, desired, _info):
        """The nearer the better."""
        return -np.abs(achieved - desired).sum(axis=-1)


class Broken(Drift):
    """Rewards that are no numbers."""

    def step(self, action):
        """Drift."""
        observed, _, terminated, truncated, info = super().step(action)
        return observed, float("nan"), terminated, truncated, info


def test_learning_starts_is_lowered_and_said():
    """100 steps of a DQN that would only collect for 1,000 contain a gradient step each; the result says why."""
    found = probe(
        DQN,
        "MlpPolicy",
        Drift,
        learning_starts=1_000,
        train_freq=1,
        gradient_steps=2,
        buffer_size=500,
        **SMALL,
    )
    assert found.steps + found.warm_up_steps == 100
    assert found.optimiser_steps == 2 * found.steps
    assert any("learning_starts was lowered from 1,000 to 0" in note for note in found.notes)
    assert found.samples == found.steps
    assert set(found.parts) == {"environment", "policy", "compute", "optimiser", "other"}
    assert all(part.mean_s > 0 for part in found.parts.values())


@pytest.mark.parametrize(
    ("algorithm", "settings", "samples", "updates"),
    [
        (PPO, {"n_steps": 16, "batch_size": 8, "n_epochs": 3}, 32, 12),
        (A2C, {"n_steps": 4}, 8, 1),
        (DQN, {"train_freq": 2, "gradient_steps": 3, "learning_starts": 0}, 4, 3),
    ],
)
def test_a_turn_holds_its_environment_steps_and_updates(algorithm, settings, samples, updates):
    """Steps of two environments and of the optimizer are counted for each turn, as the settings say."""
    found = probe(
        algorithm, "MlpPolicy", lambda: make_vec_env(Drift, 2), steps=5, warm_up=1, **settings, **SMALL
    )
    assert found.steps == 4
    assert found.samples == 4 * samples
    assert found.optimiser_steps == 4 * updates


def test_the_environments_time_is_told_apart():
    """An environment that waits 2 s a step is all of the time, idle, and the throughput is half a step a second."""
    clock = ManualClock()
    found = probe(
        DQN,
        "MlpPolicy",
        lambda: Slow(clock),
        steps=10,
        limit_s=1e6,
        clock=clock,
        buffer_size=100,
        train_freq=1,
        **SMALL,
    )
    assert found.parts["environment"].mean_s == pytest.approx(2.0)
    assert found.parts["environment"].share == pytest.approx(1.0)
    assert found.parts["environment"].idle_s == pytest.approx(2.0)
    assert found.samples_per_s == pytest.approx(0.5)
    assert found.project_samples(24_000) == pytest.approx(48_000)


def test_random_generators_and_threads_come_back():
    """Nothing of a probe is left behind in the generators of Python, numpy and torch, nor in torch's threads."""
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    torch.set_num_threads(2)
    before = encode(capture_generators())
    probe(
        SAC,
        "MlpPolicy",
        lambda: gymnasium.make("Pendulum-v1"),
        steps=4,
        buffer_size=100,
        batch_size=8,
        **SMALL,
    )
    assert encode(capture_generators()) == before
    assert torch.get_num_threads() == 2


def test_the_hyperparameters_are_not_written_into():
    """What was handed in for the probe serves the run unchanged."""
    settings = {"policy_kwargs": {"net_arch": [8]}, "learning_starts": 50, "buffer_size": 100}
    probe(DQN, "MlpPolicy", Drift, steps=4, **settings)
    assert settings == {"policy_kwargs": {"net_arch": [8]}, "learning_starts": 50, "buffer_size": 100}


def test_the_environment_is_closed():
    """The environment that a probe made does not outlive it."""
    closed = threading.Event()

    class Closing(Drift):
        def close(self):
            closed.set()

    probe(A2C, "MlpPolicy", Closing, steps=4, **SMALL)
    assert closed.is_set()


def test_the_limit_breaks_off_a_rollout_that_would_never_train():
    """A rollout of 2,048 steps of 2 s does not fit into 60 s: an error says so, with the length of the rollout."""
    clock = ManualClock()
    with pytest.raises(
        UsageError, match=r"PPO \(rollouts of 2,048 environment steps\) measured nothing: it took no step"
    ):
        probe(PPO, "MlpPolicy", lambda: Slow(clock), clock=clock)
    assert clock.monotonic() < ManualClock().monotonic() + 70.0


def test_rewards_that_are_no_numbers_are_told():
    """A DQN whose every loss is NaN has trained nothing."""
    with pytest.raises(UsageError, match="the loss was nan in every step"):
        probe(DQN, "MlpPolicy", Broken, steps=10, buffer_size=100, **SMALL)


def test_no_gradient_step_is_told():
    """An algorithm told to take no gradient steps gives no number."""
    with pytest.raises(UsageError, match="contain no gradient step"):
        probe(DQN, "MlpPolicy", Drift, steps=10, gradient_steps=0, buffer_size=100, **SMALL)


def test_wrapped_environments_are_probed_as_they_are():
    """VecNormalize keeps normalising under the probe."""
    found = probe(
        PPO,
        "MlpPolicy",
        lambda: VecNormalize(make_vec_env(Drift, 2)),
        steps=3,
        n_steps=8,
        batch_size=8,
        **SMALL,
    )
    assert found.parts["environment"].mean_s > 0


@pytest.mark.parametrize(
    ("algorithm", "settings", "total"),
    [(PPO, {"n_steps": 8, "batch_size": 8}, 32), (DQN, {"learning_starts": 5, "buffer_size": 100}, 40)],
)
def test_the_stopwatch_changes_nothing_of_training(algorithm, settings, total):
    """A model trained under it ends with the weights, to the bit, of one that nobody timed, and is left as it was."""
    models = [algorithm("MlpPolicy", Drift(), seed=3, **settings, **SMALL)]
    turns = ProbedTurns(models[0], probing := Probing(steps=1_000))
    with turns.timed(), probing:
        models[0].learn(total, callback=turns)
    models.append(algorithm("MlpPolicy", Drift(), seed=3, **settings, **SMALL))
    models[1].learn(total)
    for ours, theirs in zip(models[0].policy.parameters(), models[1].policy.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert not {"forward", "_sample_action"} & (vars(models[0]).keys() | vars(models[0].policy).keys())
    assert not {"step", "reset"} & vars(models[0].get_env()).keys()


@pytest.mark.parametrize(
    ("algorithm", "policy", "settings"),
    [
        (QRDQN, "MlpPolicy", {"buffer_size": 100}),
        (RecurrentPPO, "MlpLstmPolicy", {"n_steps": 8, "batch_size": 8}),
        (TRPO, "MlpPolicy", {"n_steps": 8, "batch_size": 8}),
    ],
)
def test_the_algorithms_of_sb3_contrib_are_probed_too(algorithm, policy, settings):
    """Their policies and optimizers are found in the same places."""
    found = probe(algorithm, policy, Drift, steps=4, warm_up=0, **settings, **SMALL)
    assert found.optimiser_steps > 0
    assert all(found.parts[name].mean_s > 0 for name in ("environment", "policy", "compute", "optimiser"))


def test_hindsight_replay_keeps_its_start():
    """It samples whole episodes only: the steps that collect the first ones are warm-up, and the rest are measured."""
    found = probe(
        DQN,
        "MultiInputPolicy",
        Goal,
        steps=10,
        learning_starts=40,
        buffer_size=200,
        train_freq=1,
        replay_buffer_class=HerReplayBuffer,
        **SMALL,
    )
    assert found.warm_up_steps >= 40
    assert found.steps + found.warm_up_steps == 50
    assert found.optimiser_steps == found.steps
    assert any("before learning_starts, which only collect, count as warm-up" in note for note in found.notes)


def test_what_is_no_such_algorithm_is_refused():
    """An algorithm that neither collects nor replays has no turns that could be told apart."""
    with pytest.raises(UsageError, match="ARS cannot be probed"):
        probe(ARS, "LinearPolicy", Drift)


def test_episodes_can_be_the_turns():
    """Where an episode decides when to train, a turn is one."""
    found = probe(
        DQN, "MlpPolicy", Drift, steps=4, warm_up=0, train_freq=(1, "episode"), buffer_size=1_000, **SMALL
    )
    assert found.steps == 4
    assert found.samples <= 4 * 30
