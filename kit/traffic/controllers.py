"""Who decides which phase is green: timers, max-pressure, chance, learned policies; one interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import accumulate
from typing import Protocol

import numpy as np

from kit.errors import UsageError
from kit.traffic.view import SignalView


class Controller(Protocol):
    """Chooses the phase to show during the next decision interval."""

    name: str

    def reset(self) -> None:
        """Forget the previous episode."""

    def act(self, observation: np.ndarray, view: SignalView) -> int:
        """Return the index of the phase to show next.

        Args:
            observation: (n_obs,) what the agent sees.
            view: the signal's state in physical units.
        """


class FixedTime:
    """A timer: phase p is asked for during ``green_s[p]`` seconds, over and over, whatever the traffic.

    The seconds include the amber and all-red that open each phase, so ``FixedTime((30, 30))`` has a cycle of
    60 s. A controller is asked once per decision interval, so durations act as if rounded to that grid,
    unless ``interval_s`` names a finer one and the simulator offers it (the embedded one does; see its
    scenario).

    Args:
        green_s: one duration per phase, seconds, all positive.
        name: how results call it; by default ``fixed 30/30``.
        interval_s: how often it wants to be asked, seconds; None for the scenario's own interval.
    """

    def __init__(
        self, green_s: Sequence[float], name: str | None = None, interval_s: float | None = None
    ) -> None:
        if not green_s or min(green_s) <= 0:
            raise UsageError(
                f"green_s is {tuple(green_s)}; it takes one positive duration per phase, in seconds."
            )
        self.green_s = tuple(float(g) for g in green_s)
        self.name = name or "fixed " + "/".join(f"{g:g}" for g in self.green_s)
        self.interval_s = interval_s
        self._ends_s = tuple(accumulate(self.green_s))

    def reset(self) -> None:
        """Nothing to forget: the phase follows from the time."""

    def act(self, observation: np.ndarray, view: SignalView) -> int:  # noqa: ARG002
        """Return the phase that the timer shows at ``view.time_s``."""
        # half a millisecond forward, so that a sum of rounded seconds cannot fall just short of a boundary
        within = (view.time_s + 5e-4) % self._ends_s[-1]
        return next(phase for phase, end_s in enumerate(self._ends_s) if within < end_s)


class MaxPressure:
    """Shows the phase of largest pressure (Varaiya 2013; the pressure is defined in ``SignalView``).

    Args:
        min_green_s: a phase is kept until it has been green this long, seconds.
        hysteresis_veh: another phase takes over only when its pressure is larger by more than this, vehicles;
            every change costs lost time, which plain max-pressure ignores.
        name: how results call it.
    """

    def __init__(
        self, min_green_s: float = 0.0, hysteresis_veh: float = 0.0, name: str = "max-pressure"
    ) -> None:
        self.min_green_s, self.hysteresis_veh, self.name = min_green_s, hysteresis_veh, name

    def reset(self) -> None:
        """Nothing to forget: the phase follows from the view."""

    def act(self, observation: np.ndarray, view: SignalView) -> int:  # noqa: ARG002
        """Return the phase of largest pressure, or the present one within minimum green and hysteresis."""
        if view.elapsed_green_s < self.min_green_s:
            return view.phase
        best = int(np.argmax(view.pressures))
        gain = view.pressures[best] - view.pressures[view.phase]
        return best if gain > self.hysteresis_veh else view.phase


class RandomPhase:
    """Shows a phase drawn anew at every decision; what any useful controller must beat.

    Args:
        seed: of its own generator; every episode replays the same sequence of draws.
        name: how results call it.
    """

    def __init__(self, seed: int = 0, name: str = "random") -> None:
        self.seed, self.name = seed, name
        self.reset()

    def reset(self) -> None:
        """Begin the sequence of draws again."""
        self._rng = np.random.default_rng(self.seed)

    def act(self, observation: np.ndarray, view: SignalView) -> int:  # noqa: ARG002
        """Return a phase, each as likely as the others."""
        return int(self._rng.integers(view.n_phases))


class Policy:
    """A learned policy: anything that maps a batch of observations to a batch of actions.

    Args:
        name: how results call it, for example ``dqn``.
        predict: maps observations (B, n_obs) to phase indices (B,).
    """

    def __init__(self, name: str, predict: Callable[[np.ndarray], np.ndarray]) -> None:
        self.name, self.predict = name, predict

    def reset(self) -> None:
        """Nothing to forget: a policy keeps no state between decisions."""

    def act(self, observation: np.ndarray, view: SignalView) -> int:  # noqa: ARG002
        """Return the phase that the policy prefers for this observation."""
        return int(np.asarray(self.predict(observation[None])).reshape(-1)[0])


def copies_of(controller: Controller, n: int) -> list[Controller]:
    """Return ``n`` freshly reset controllers, one per episode, so that none carries over to another.

    A ``Policy`` has nothing to carry over, and may hold a whole network: it is shared.
    """
    if isinstance(controller, Policy):
        return [controller] * n
    copies = [deepcopy(controller) for _ in range(n)]
    for each in copies:
        each.reset()
    return copies


def act_together(
    controllers: Sequence[Controller], observations: np.ndarray, views: Sequence[SignalView]
) -> np.ndarray:
    """Return (B,) phase indices for B episodes that run in lockstep, each with a controller of its own.

    Args:
        controllers: what ``copies_of`` returned for B episodes.
        observations: (B, n_obs).
        views: B views.

    A ``Policy`` predicts once for the whole batch; every other controller is asked episode by episode.
    """
    first = controllers[0]
    if isinstance(first, Policy):
        return np.asarray(first.predict(observations), dtype=np.int64).reshape(len(observations))
    actions = [c.act(o, v) for c, o, v in zip(controllers, observations, views, strict=True)]
    return np.asarray(actions, dtype=np.int64)
