"""What people get wrong, one thing each: environments, schedules, buffers and evaluations to plant in a notebook."""

import logging
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.vec_env import VecEnvWrapper

logger = logging.getLogger(__name__)


def cart() -> Any:
    """A healthy CartPole."""
    return gymnasium.make("CartPole-v1")


def play(model: Any, env: Any, seeds: Any, *, deterministic: bool = True) -> float:
    """Return the mean sum of rewards of a model over the episodes of these seeds, in a Gymnasium environment."""
    sums = []
    for seed in seeds:
        observed, _ = env.reset(seed=int(seed))
        total, over = 0.0, False
        while not over:
            action, _ = model.predict(observed, deterministic=deterministic)
            observed, reward, terminated, truncated, _ = env.step(action)
            total, over = total + float(reward), terminated or truncated
        sums.append(total)
    return float(np.mean(sums))


def play_in_training(model: Any) -> float:
    """Evaluate in the very environment that trains."""
    env = model.get_env()
    observed = env.reset()
    for _ in range(20):
        observed, _, _, _ = env.step(model.predict(observed, deterministic=True)[0])
    return 0.0


class Observed(gymnasium.ObservationWrapper):  # type: ignore[type-arg]
    """CartPole, observed through a function."""

    def __init__(self, see: Callable[[Any], Any], space: Any = None) -> None:
        super().__init__(cart())
        self.see = see
        if space is not None:
            self.observation_space = space

    def observation(self, observation: Any) -> Any:
        """Through the function."""
        return np.asarray(self.see(observation), np.float32)


def not_a_number(observation: Any) -> Any:
    """One component is NaN now and then."""
    return np.where(observation > 0.1, np.nan, observation)


def in_other_units(observation: Any) -> Any:
    """Millimetres where metres are announced."""
    return 1_000 * observation


def nothing(observation: Any) -> Any:
    """The same, whatever the state."""
    return np.zeros_like(observation)


def clipped() -> Any:
    """Scaled after clipping instead of before: nearly always at the upper bound."""
    return Observed(
        lambda seen: np.clip(1e6 * np.abs(seen), 0, 1), gymnasium.spaces.Box(0, 1, (4,), np.float32)
    )


class Rewarded(gymnasium.RewardWrapper):  # type: ignore[type-arg]
    """CartPole, or another environment, with another reward."""

    def __init__(self, value: float, env: Any = None) -> None:
        super().__init__(env or cart())
        self.value = value

    def reward(self, reward: Any) -> float:
        """The same always."""
        return self.value


class Deaf(gymnasium.Wrapper):  # type: ignore[type-arg]
    """Does not listen; with ``echo`` it shows the action all the same, in the first component."""

    def __init__(self, echo: bool = False, env: Any = None) -> None:
        super().__init__(env or cart())
        self.echo = echo

    def step(self, action: Any) -> Any:
        """Go on as if nothing had been said."""
        observed, *rest = self.env.step(0)
        if self.echo:
            observed = observed.copy()
            observed[0] = float(action)
        return (observed, *rest)


class Limit(gymnasium.Wrapper):  # type: ignore[type-arg]
    """A hill that is never climbed within its 30 steps; the limit is told as an end of the task."""

    def __init__(self) -> None:
        super().__init__(gymnasium.make("MountainCar-v0", max_episode_steps=30))

    def step(self, action: Any) -> Any:
        """Take truncated for terminated."""
        observed, reward, terminated, truncated, info = self.env.step(action)
        return observed, reward, terminated or truncated, False, info


class CutAt(gymnasium.Wrapper):  # type: ignore[type-arg]
    """CartPole cut off after so many steps, which it tells nobody."""

    def __init__(self, steps: int) -> None:
        super().__init__(cart())
        self._most, self._taken = steps, 0

    def reset(self, **how: Any) -> Any:
        """Begin to count."""
        self._taken = 0
        return self.env.reset(**how)

    def step(self, action: Any) -> Any:
        """Take it, and cut the episode off."""
        observed, reward, terminated, truncated, info = self.env.step(action)
        self._taken += 1
        return observed, reward, terminated, truncated or self._taken >= self._most, info


class Fallen(gymnasium.Wrapper):  # type: ignore[type-arg]
    """A pole that has fallen is told as a time limit."""

    def __init__(self) -> None:
        super().__init__(cart())

    def step(self, action: Any) -> Any:
        """Take terminated for truncated."""
        observed, reward, terminated, truncated, info = self.env.step(action)
        return observed, reward, False, terminated or truncated, info


class Raising(gymnasium.Wrapper):  # type: ignore[type-arg]
    """Fails at its sixtieth step."""

    def __init__(self) -> None:
        super().__init__(cart())
        self.taken = 0

    def step(self, action: Any) -> Any:
        """Take it, or fail."""
        self.taken += 1
        if self.taken == 60:
            raise ValueError("a simulator that gave up")
        return self.env.step(action)


class Loud(gymnasium.Wrapper):  # type: ignore[type-arg]
    """Says eight lines a step."""

    def __init__(self) -> None:
        super().__init__(cart())

    def step(self, action: Any) -> Any:
        """Take it, and say so."""
        for line in range(8):
            logger.warning("line %d about action %s", line, action)
        return self.env.step(action)


class PaidForChange(gymnasium.Wrapper):  # type: ignore[type-arg]
    """Pays for an action that is not the one before."""

    def __init__(self) -> None:
        super().__init__(cart())
        self.before = 0

    def step(self, action: Any) -> Any:
        """Take it, and pay for the change."""
        observed, _, terminated, truncated, info = self.env.step(action)
        paid, self.before = float(action != self.before), int(action)
        return observed, paid, terminated, truncated, info


def decay(total: int) -> Callable[[float], float]:
    """A learning rate that falls over ``total`` steps, whatever the run has."""

    def rate(progress: float) -> float:
        return 1e-3 * max(progress, 1 / total)

    return rate


class OwnBuffer(ReplayBuffer):
    """A replay buffer of one's own, which nobody knows how to capture."""


class Forgetful(PPO):
    """Leaves its weights out of what is saved."""

    def _get_torch_save_params(self) -> Any:
        return [], []


class Silent(VecEnvWrapper):
    """Several environments whose rewards are lost on the way."""

    def reset(self) -> Any:
        """As it is."""
        return self.venv.reset()

    def step_wait(self) -> Any:
        """Without the rewards."""
        observed, rewards, dones, infos = self.venv.step_wait()
        return observed, np.zeros_like(rewards), dones, infos


class Unheard(Silent):
    """Several environments that show phase 0, whatever is asked for."""

    def step_async(self, actions: Any) -> None:
        """Ask for phase 0."""
        self.venv.step_async(np.zeros_like(actions))

    def step_wait(self) -> Any:
        """As it is."""
        return self.venv.step_wait()


class Ending(Unheard):
    """Several environments that tell their horizon as the end of the world."""

    def step_async(self, actions: Any) -> None:
        """As asked for."""
        self.venv.step_async(actions)

    def step_wait(self) -> Any:
        """Without a word of truncation."""
        observed, rewards, dones, infos = self.venv.step_wait()
        return observed, rewards, dones, [{**info, "TimeLimit.truncated": False} for info in infos]
