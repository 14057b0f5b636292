"""Real cities' junctions, simulated by SUMO: the scenarios ``cologne1`` and ``ingolstadt1``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kit.errors import UnknownNameError, UsageError
from kit.traffic.controllers import Controller, MaxPressure, act_together, copies_of
from kit.traffic.evaluation import EpisodeResult
from kit.traffic.sumo_baselines import SignalProgram, best_plan, webster_program
from kit.traffic.sumo_env import SumoEnv, view_of
from kit.traffic.sumo_episode import INTERVAL_S, REWARDS, EpisodeSpec, SumoStep
from kit.traffic.sumo_network import SumoNetwork, read_network
from kit.traffic.sumo_process import EpisodeProcess, package_folder

if TYPE_CHECKING:
    from kit.traffic.sumo_vec_env import SumoVecEnv

BEGIN_S = {"cologne1": 25_200, "ingolstadt1": 57_600}  # 7:00 and 16:00, from the .sumocfg of each
SIDE_BY_SIDE = 10  # episodes in lockstep; a constant, so that a policy sees the same batches on every machine


@dataclass(frozen=True)
class SumoScenario:
    """One junction of a real city over one hour, from sumo-rl's copy of RESCO (Ault and Sharon 2021).

    Attributes:
        name: ``cologne1`` or ``ingolstadt1``.
        perturb: each seed is another day (see ``sumo_demand``); if False every seed has the file's own
            trips and differs in the drivers' noise only.
        horizon_decisions: decisions in an episode; 240 of 15 s are the hour.
    """

    name: str
    perturb: bool = True
    horizon_decisions: int = 240
    kind: str = "sumo"
    interval_s: int = INTERVAL_S

    def __post_init__(self) -> None:
        if self.name not in BEGIN_S:
            raise UnknownNameError("SUMO scenario", self.name, BEGIN_S)
        if not 1 <= self.horizon_decisions <= 240:
            raise UsageError(f"horizon_decisions is {self.horizon_decisions}; legal are 1 to 240 (one hour).")

    def spec(self, seed: int, reward: str = "delay") -> EpisodeSpec:
        """Return what decides the episode of day ``seed``.

        Raises:
            UnknownNameError: no reward of that name.
            MissingDependencyError: the SUMO packages are not installed.
        """
        if reward not in REWARDS:
            raise UnknownNameError("reward", reward, REWARDS)
        folder = package_folder("sumo_rl") / "nets" / "RESCO" / self.name
        return EpisodeSpec(
            net=str(folder / f"{self.name}.net.xml"),
            routes=str(folder / f"{self.name}.rou.xml"),
            begin_s=BEGIN_S[self.name],
            horizon_decisions=self.horizon_decisions,
            seed=seed,
            perturb=self.perturb,
            reward=reward,
        )

    def network(self) -> SumoNetwork:
        """Return the junction."""
        return read_network(Path(self.spec(0).net))

    def make_env(self, seed: int, reward: str = "delay") -> SumoEnv:
        """Return a Gymnasium environment whose first episode is day ``seed``."""
        return SumoEnv(self.spec(seed, reward))

    def make_vec_env(self, n_envs: int, seed: int, reward: str = "delay") -> SumoVecEnv:
        """Return ``n_envs`` environments on training days, in processes of their own."""
        from kit.traffic.sumo_vec_env import SumoVecEnv  # brings torch

        return SumoVecEnv(self.spec(seed, reward), n_envs, seed)

    def run_episodes(
        self, controller: Controller, seeds: Sequence[int], reward: str = "delay"
    ) -> list[EpisodeResult]:
        """Play each day once; up to 10 at a time, in lockstep, so that a policy predicts for all at once."""
        results: list[EpisodeResult] = []
        for start in range(0, len(seeds), SIDE_BY_SIDE):
            results += self._run_together(controller, seeds[start : start + SIDE_BY_SIDE], reward)
        return results

    def baselines(self, training_seeds: Sequence[int]) -> list[Controller]:
        """Return the native program, the best plan for those days, Webster's program, max-pressure twice.

        The search plays some 40 to 60 hours, in parallel.
        """
        spec, network = self.spec(0), self.network()
        return [
            SignalProgram("native program", network.native_green_s),
            best_plan(network, spec, training_seeds),
            webster_program(network, spec, training_seeds),
            MaxPressure(),
            MaxPressure(hysteresis_veh=1.0, name="max-pressure, hysteresis 1"),
        ]

    def _run_together(self, controller: Controller, seeds: Sequence[int], reward: str) -> list[EpisodeResult]:
        program_s = controller.green_s if isinstance(controller, SignalProgram) else None
        spec = replace(self.spec(0, reward), program_s=program_s)
        processes = [EpisodeProcess(replace(spec, seed=seed)) for seed in seeds]
        if program_s is not None:
            histories = _run_program(processes, self.horizon_decisions)
        else:
            histories = _run_lockstep(processes, controller, self.horizon_decisions)
        for process in processes:
            process.close()
        return [_result(controller.name, seed, steps) for seed, steps in zip(seeds, histories, strict=True)]


def load(name: str) -> SumoScenario:
    """Return the scenario of that name.

    Raises:
        UnknownNameError: there is none.
        MissingDependencyError: the SUMO packages are not installed; nothing else is run in their place.
    """
    scenario = SumoScenario(name)
    for package in ("libsumo", "sumo", "sumo_rl"):
        package_folder(package)
    return scenario


def _run_program(processes: Sequence[EpisodeProcess], decisions: int) -> list[list[SumoStep]]:
    for process in processes:
        process.send("run", [0] * decisions)
    return [process.receive() for process in processes]


def _run_lockstep(
    processes: Sequence[EpisodeProcess], controller: Controller, decisions: int
) -> list[list[SumoStep]]:
    controllers = copies_of(controller, len(processes))
    last = [process.initial for process in processes]
    histories: list[list[SumoStep]] = [[] for _ in processes]
    for _ in range(decisions):
        actions = act_together(
            controllers, np.stack([s.observation for s in last]), [view_of(s) for s in last]
        )
        for process, action in zip(processes, actions, strict=True):
            process.send("step", int(action))
        last = [process.receive() for process in processes]
        for history, step in zip(histories, last, strict=True):
            history.append(step)
    return histories


def _result(controller: str, seed: int, steps: Sequence[SumoStep]) -> EpisodeResult:
    end = steps[-1]
    return EpisodeResult(
        controller=controller,
        seed=seed,
        delay_s_per_vehicle=end.total_delay_s / max(1, end.vehicles),
        mean_queue_veh=sum(s.queue_veh for s in steps) / len(steps),
        vehicles=float(end.vehicles),
        unfinished=float(end.unfinished),
        reward=sum(s.reward for s in steps),
        queue_veh=tuple(s.queue_veh for s in steps),
        delay_s=tuple(s.delay_s for s in steps),
    )
