"""The episodes of one SUMO environment, one after the other, and where they stand, as data.

SUMO's own saved states are not exact: the continuation differs. Playing the same actions again from the
same seed in a fresh process is exact, and costs 1 to 2 ms a decision; so a state is the seed and the
actions so far.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kit.errors import IntegrityError, UnknownNameError, UsageError
from kit.traffic.seeds import training_seed
from kit.traffic.sumo_episode import INTERVAL_S, REWARDS, EpisodeSpec, SumoStep
from kit.traffic.sumo_process import EpisodeProcess

_NOT_STARTED = "reset() comes before step()."


class EpisodeSequence:
    """Plays episodes of one junction; the k-th has the seed ``training_seed(base_seed, env_index, k)``.

    Args:
        spec: the junction, hour and reward; its seed is not used.
        base_seed: the run's seed.
        env_index: which of the parallel environments.
        prepare: load the next episode while the present one runs.

    Raises:
        UnknownNameError: no reward of that name.
    """

    def __init__(self, spec: EpisodeSpec, base_seed: int, env_index: int = 0, prepare: bool = False) -> None:
        if spec.reward not in REWARDS:
            raise UnknownNameError("reward", spec.reward, REWARDS)
        self.spec, self.base_seed, self.env_index, self.prepare = spec, base_seed, env_index, prepare
        self.episode = 0  # how many were begun
        self._actions: list[int] = []
        self._reward_sum = 0.0
        self._process: EpisodeProcess | None = None
        self._next: EpisodeProcess | None = None
        self._last: SumoStep | None = None

    @property
    def last(self) -> SumoStep:
        """What the last decision (or the beginning) gave.

        Raises:
            UsageError: no episode was begun.
        """
        if self._last is None:
            raise UsageError(_NOT_STARTED)
        return self._last

    @property
    def over(self) -> bool:
        """Whether the episode is at its horizon."""
        return self.last.decision >= self.spec.horizon_decisions

    def begin(self, seed: int | None = None) -> None:
        """Start the next episode, or day ``seed`` and spread the following ones from it; then `wait`."""
        self._end_process()
        if seed is None:
            seed = self._upcoming_seed()
        else:
            self.base_seed, self.episode = seed, 0
        self.episode += 1
        self._actions, self._reward_sum, self._last = [], 0.0, None
        self._process = self._take(seed)
        if self.prepare:
            self._prepare_next()

    def wait(self) -> SumoStep:
        """Wait until the episode has loaded."""
        self._last = self._running().initial
        return self._last

    def send(self, action: int) -> None:
        """Begin the decision ``action``; `receive` waits for its end."""
        if self.over:
            raise UsageError(f"The episode ended after {self.last.decision} decisions; reset it.")
        self._running().send("step", action)
        self._actions.append(action)

    def receive(self) -> SumoStep:
        """Wait for the end of the decision that was sent."""
        step: SumoStep = self._running().receive()
        self._last, self._reward_sum = step, self._reward_sum + step.reward
        return step

    def info(self) -> dict[str, Any]:
        """Return what Gymnasium's ``info`` says after a decision; at the horizon the episode's totals too."""
        step = self.last
        info: dict[str, Any] = {"delay_s": step.delay_s, "queue_veh": step.queue_veh}
        if self.over:
            info["seed"] = self._running().spec.seed
            info["delay_s_per_vehicle"] = step.total_delay_s / max(1, step.vehicles)
            info["vehicles"], info["unfinished"] = step.vehicles, step.unfinished
            info["episode"] = {"r": self._reward_sum, "l": step.decision, "t": self._elapsed_s()}
        return info

    def get_state(self) -> dict[str, Any]:
        """Return where the sequence stands: numbers, strings and lists only."""
        return {
            "settings": self._settings(),
            "base_seed": self.base_seed,
            "episode": self.episode,
            "seed": self._process.spec.seed if self._process else None,
            "actions": list(self._actions),
            "reward_sum": self._reward_sum,
            "fingerprint": self._last.fingerprint if self._last else None,
            "sumo": version("libsumo"),
        }

    def begin_replay(self, state: dict[str, Any]) -> None:
        """Start playing ``state``'s actions again; `end_replay` waits and checks.

        Raises:
            UsageError: the state is of another junction, hour or reward.
        """
        mine = self._settings()
        differ = [k for k in mine if mine[k] != state["settings"].get(k)]
        if differ:
            told = "; ".join(f"{k}: {state['settings'].get(k)!r} there, {mine[k]!r} here" for k in differ)
            raise UsageError(f"The state is of another environment ({told}).")
        self.close()
        self.base_seed, self.episode = int(state["base_seed"]), int(state["episode"])
        self._actions, self._reward_sum = [int(a) for a in state["actions"]], float(state["reward_sum"])
        if state["seed"] is None:
            return
        self._process = EpisodeProcess(replace(self.spec, seed=int(state["seed"])))
        if self._actions:
            self._process.send("run", self._actions)

    def end_replay(self, state: dict[str, Any]) -> None:
        """Wait for the replay.

        Raises:
            IntegrityError: what was seen on the way is not what was seen the first time.
        """
        if self._process is None:
            return
        self._last = self._process.receive()[-1] if self._actions else self._process.initial
        assert self._last is not None
        if state["fingerprint"] is not None and self._last.fingerprint != state["fingerprint"]:
            raise IntegrityError(
                f"The replay of seed {state['seed']}, {len(self._actions)} decisions, differs; "
                f"the state was made with libsumo {state['sumo']}, this is {version('libsumo')}."
            )
        if self.prepare:
            self._prepare_next()

    def close(self) -> None:
        """End the processes."""
        self._end_process()
        if self._next is not None:
            self._next.close()
        self._next, self._last = None, None

    def _elapsed_s(self) -> float:
        """Simulated seconds since the first episode began; the same in every run, unlike the clock."""
        decisions = (self.episode - 1) * self.spec.horizon_decisions + self.last.decision
        return float(decisions * INTERVAL_S)

    def _settings(self) -> dict[str, Any]:
        spec = self.spec
        return {
            "net": Path(spec.net).name,
            "begin_s": spec.begin_s,
            "horizon_decisions": spec.horizon_decisions,
            "perturb": spec.perturb,
            "reward": spec.reward,
            "env_index": self.env_index,
        }

    def _upcoming_seed(self) -> int:
        return training_seed(self.base_seed, self.env_index, self.episode)

    def _take(self, seed: int) -> EpisodeProcess:
        prepared, self._next = self._next, None
        if prepared is not None and prepared.spec.seed == seed:
            return prepared
        if prepared is not None:
            prepared.close()
        return EpisodeProcess(replace(self.spec, seed=seed))

    def _prepare_next(self) -> None:
        self._next = EpisodeProcess(replace(self.spec, seed=self._upcoming_seed()))

    def _running(self) -> EpisodeProcess:
        if self._process is None:
            raise UsageError(_NOT_STARTED)
        return self._process

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.close()
        self._process = None
