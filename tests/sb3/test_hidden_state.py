"""A run is never called exact where code of one's own keeps state that no capture holds."""

from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv

from kit import TrainingSession
from kit.report.process import ReportProcess
from kit.sb3 import Replayable, learn
from kit.sb3.environment_state import CaptureMethod, EnvironmentState
from kit.sb3.hidden_state import MOST_BYTES, content
from kit.sb3.state import ExactState
from tests.sb3.environments import Drift, Locked

TINY: dict[str, Any] = {"n_steps": 8, "batch_size": 8, "n_epochs": 1, "device": "cpu", "seed": 0}


class Extractor(BaseFeaturesExtractor):
    """Passes observations on; ``forward`` of those below remembers something."""

    def __init__(self, space: Any) -> None:
        super().__init__(space, space.shape[0])
        self.remember()

    def remember(self) -> None:
        """Make what is remembered."""

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Pass them on."""
        return observations


class Counting(Extractor):
    """Counts its calls in an attribute."""

    def remember(self) -> None:
        """None yet."""
        self.calls = 0

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Count."""
        self.calls += 1
        return observations


class Drawing(Extractor):
    """Draws from a generator of its own."""

    def remember(self) -> None:
        """Seed it."""
        self.generator = torch.Generator().manual_seed(1)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Add noise."""
        return observations + torch.rand(observations.shape, generator=self.generator)


class Averaging(Extractor):
    """Subtracts a running mean, a buffer that its state_dict holds."""

    persistent = True

    def remember(self) -> None:
        """Begin at zero."""
        self.register_buffer("mean", torch.zeros(2), persistent=self.persistent)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Follow the observations."""
        self.mean = 0.9 * self.mean + 0.1 * observations.detach().mean(0)
        return observations - self.mean


class AveragingUnsaved(Averaging):
    """The same, with a buffer that state_dict leaves out."""

    persistent = False


class Normalising(Extractor):
    """Batch normalisation and dropout, whose state torch holds."""

    def remember(self) -> None:
        """Two layers."""
        self.layers = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Dropout(0.1))

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Pass them through."""
        normalised: torch.Tensor = self.layers(observations)
        return normalised


class Pausing(torch.optim.Adam):
    """Counts its steps in an attribute."""

    taken = 0

    def step(self, closure: Any = None) -> Any:
        """Count."""
        self.taken += 1
        return super().step(closure)


class Schedule:
    """A learning rate that goes by how often it was asked for."""

    asked = 0

    def __call__(self, progress: float) -> float:
        """Fall."""
        self.asked += 1
        return 1e-3 / self.asked


class Numbered(Drift):
    """Counts all episodes of its class."""

    episodes = 0

    def reset(self, **arguments: Any) -> Any:
        """Count."""
        Numbered.episodes += 1
        return super().reset(**arguments)


class Levels(Locked):
    """Does not pickle, and begins further off with every episode it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.episodes = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Count."""
        self.episodes += 1
        return super().reset(seed=seed)


class Centred(RolloutBuffer):
    """A rollout buffer of one's own."""


class Stepping(DummyVecEnv):
    """A vectorised environment of one's own."""


def reason_after_training(env: Any = Drift, **settings: Any) -> str | None:
    """Return why a model that has trained a little is not captured exactly."""
    model = PPO("MlpPolicy", DummyVecEnv([env]), **(TINY | settings))
    state = ExactState(model, CaptureMethod("pickle"))
    assert state.reason is None
    model.learn(24)
    state.capture()
    return state.reason


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"policy_kwargs": {"features_extractor_class": Counting}}, "Counting.calls"),
        ({"policy_kwargs": {"features_extractor_class": Drawing}}, "Drawing.generator"),
        ({"policy_kwargs": {"features_extractor_class": AveragingUnsaved}}, "AveragingUnsaved.mean"),
        ({"policy_kwargs": {"optimizer_class": Pausing}}, "Pausing.taken"),
        ({"learning_rate": Schedule()}, "lr_schedule"),
        ({"env": Numbered}, "Numbered.episodes"),
    ],
)
def test_what_changes_and_is_not_captured_is_named(settings, name):
    """After a capture the reason names the attribute."""
    assert f"{name} changes in training" in str(reason_after_training(**settings))


@pytest.mark.parametrize("extractor", [Extractor, Averaging, Normalising])
def test_what_state_dict_holds_is_no_reason(extractor):
    """Buffers, batch normalisation and dropout leave a run exact."""
    assert reason_after_training(policy_kwargs={"features_extractor_class": extractor}) is None


def test_a_run_with_hidden_state_does_not_end_as_exact(tmp_path, monkeypatch):
    """The summary says why, and so does a session that goes on from a checkpoint."""
    monkeypatch.setattr(ReportProcess, "_ask", lambda *_: False)
    settings: Any = TINY | {"policy_kwargs": {"features_extractor_class": Counting}}
    with TrainingSession.open("hidden", total_timesteps=24, config={}, out=tmp_path) as session:
        learn(session, PPO, "MlpPolicy", Drift, **settings)
    assert "Counting.calls" in session.close()["inexact_reason"]


def test_a_rollout_buffer_or_a_vectorised_environment_of_ones_own_is_not_exact():
    """It is said before training, since such a class may remember anything."""
    state = ExactState(PPO("MlpPolicy", DummyVecEnv([Drift]), rollout_buffer_class=Centred, **TINY))
    assert "Centred" in str(state.reason)
    assert "Stepping" in str(EnvironmentState(Stepping([lambda: Replayable(Locked())])).reason)


def test_what_a_replayed_environment_remembers_of_earlier_episodes_is_missed():
    """The episode comes back, and the reason names what did not; in a first episode nothing is missing."""
    for episodes, told in ((1, False), (3, True)):
        env = DummyVecEnv([lambda: Replayable(Levels())])
        for _ in range(episodes):
            env.reset()
        env.step(np.array([1]))
        other = DummyVecEnv([lambda: Replayable(Levels())])
        state = EnvironmentState(other, CaptureMethod("replay"))
        assert state.restore(EnvironmentState(env, CaptureMethod("replay")).capture())
        assert ("Levels.episodes" in str(state.reason)) == told


def test_what_is_large_is_not_looked_at():
    """A checkpoint does not wait for a table that an environment holds."""
    assert content(np.zeros(8)) is not None
    assert content(np.zeros(MOST_BYTES)) is None
    assert content([bytes(2**16)] * (MOST_BYTES // 2**16 + 1) + [bytearray(MOST_BYTES)]) is None
