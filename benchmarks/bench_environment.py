"""How fast the embedded simulator is, in decisions per CPU-second: beside NumPy, and beside SUMO.

    python -m benchmarks.bench_environment

One thread. Alternatives take turns, round after round, and medians are reported, so that a noisy machine hits
all of them alike. Compilation is timed apart.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TypedDict

import numpy as np

from benchmarks.numpy_model import NumpyModel
from kit.traffic.demand import profile
from kit.traffic.environment import TrafficSignalEnv
from kit.traffic.network import Intersection
from kit.traffic.simulation import Simulation

ROUNDS = 5
BLOCK_S = 0.4


class Row(TypedDict):
    """One line of the table: a value, and how many times the value of ``against`` it is."""

    name: str
    value: float
    unit: str
    against: str
    ratio: float


def main() -> list[Row]:
    """Measure everything, print the table, and return its rows."""
    rows = list(chain(_core_rows(1), _core_rows(256), [_gym_row()], _compile_rows(), _sumo_rows()))
    for row in rows:
        ratio = f"{row['ratio']:8.1f} x  {row['against']}" if row["against"] else ""
        print(f"{row['name']:44s} {row['value']:12,.2f} {row['unit']:22s} {ratio}")
    return rows


def _core_rows(batch: int) -> list[Row]:
    demand, actions = profile("varying"), np.random.default_rng(0).integers(0, 2, (240, batch))
    core = Simulation(batch, Intersection(), demand)

    def core_hour(decisions: int) -> None:
        core.reset(range(batch))
        for row in actions[:decisions]:
            core.step(row)

    def numpy_hour(decisions: int) -> None:
        model = NumpyModel(range(batch), Intersection(), demand)
        for row in actions[:decisions]:
            model.step(row)

    decisions = 240 if batch == 1 else 48
    ours, theirs = _alternate(
        [lambda: core_hour(240), lambda: numpy_hour(decisions)], [240 * batch, decisions * batch]
    )
    against = f"the same model in NumPy, {theirs:,.0f} decisions/CPU-s"
    return [_row(f"environment core, batch {batch}", ours, "decisions/CPU-s", against, ours / theirs)]


def _gym_row() -> Row:
    demand, actions = profile("varying"), np.random.default_rng(0).integers(0, 2, 240).tolist()
    env, model = TrafficSignalEnv(demand), NumpyModel([0], Intersection(), demand)

    def episode() -> None:
        env.reset(seed=0)
        for action in actions:
            env.step(action)

    def numpy_steps() -> None:
        model.clock = 0
        for action in actions:
            model.step(np.array([action]))

    ours, theirs = _alternate([episode, numpy_steps], [240, 240])
    against = f"the NumPy model without a wrapper, {theirs:,.0f} steps/CPU-s"
    return _row("gymnasium environment", ours, "steps/CPU-s", against, ours / theirs)


def _compile_rows() -> list[Row]:
    """Time the first reset in a fresh process, with an empty compilation cache and with a filled one."""
    program = (
        "import time\n"
        "from kit.traffic.environment import TrafficSignalEnv\n"
        "from kit.traffic.demand import profile\n"
        "t = time.process_time()\n"
        "TrafficSignalEnv(profile('varying')).reset(seed=0)\n"
        "print(time.process_time() - t)\n"
    )
    times: dict[str, list[float]] = {"cold": [], "warm": []}
    for _ in range(3):
        with tempfile.TemporaryDirectory() as cache:
            for state in ("cold", "warm"):
                environment = os.environ | {"NUMBA_CACHE_DIR": cache}
                done = subprocess.run(
                    [sys.executable, "-c", program],
                    env=environment,
                    cwd=Path(__file__).parent.parent,
                    capture_output=True,
                    text=True,
                    check=True,
                )
                times[state].append(float(done.stdout))
    cold, warm = (statistics.median(times[state]) for state in ("cold", "warm"))
    against = f"without the cache on disk, {cold:.2f} CPU-s"
    return [_row("first reset in a process (loads the code)", warm, "CPU-s", against, warm / cold)]


def _sumo_rows() -> list[Row]:
    """Compare with cologne1 through sumo-rl and libsumo, where installed, in a process of its own."""
    if find_spec("sumo_rl") is None or find_spec("libsumo") is None:
        print("sumo-rl or libsumo is not installed: no comparison with SUMO", file=sys.stderr)
        return []
    demand, actions = profile("varying"), np.random.default_rng(0).integers(0, 2, 240).tolist()
    env = TrafficSignalEnv(demand)

    def episode() -> None:
        env.reset(seed=0)
        for action in actions:
            env.step(action)

    ours, theirs = [], []
    for _ in range(3):
        theirs.append(_sumo_rate())
        ours.extend(_alternate([episode], [240]))
    rate, sumo = statistics.median(ours), statistics.median(theirs)
    against = f"libsumo through sumo-rl on cologne1, {sumo:,.0f} decisions/CPU-s"
    return [_row("gymnasium environment, 15 s decisions", rate, "decisions/CPU-s", against, rate / sumo)]


def _sumo_rate() -> float:
    """Return decisions per CPU-second of one episode; SUMO's start-up and the reset are not counted."""
    done = subprocess.run(
        [sys.executable, "-c", _SUMO_PROGRAM],
        env=os.environ | {"LIBSUMO_AS_TRACI": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.strip().splitlines()[-1])


_SUMO_PROGRAM = """
import os, time, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import sumo
os.environ.setdefault("SUMO_HOME", sumo.SUMO_HOME)
import numpy as np, sumo_rl
nets = Path(sumo_rl.__file__).parent / "nets" / "RESCO" / "cologne1"
env = sumo_rl.SumoEnvironment(
    net_file=str(nets / "cologne1.net.xml"), route_file=str(nets / "cologne1.rou.xml"), single_agent=True,
    begin_time=25200, num_seconds=3600, delta_time=15, yellow_time=5, min_green=5, sumo_seed=1,
    time_to_teleport=300, sumo_warnings=False, additional_sumo_cmd="--no-step-log",
)
env.reset()
actions = np.random.default_rng(0).integers(0, env.action_space.n, 240)
t = time.process_time()
for n, action in enumerate(actions, 1):
    if env.step(int(action))[3]:
        break
print(n / (time.process_time() - t))
"""


def _alternate(works: list[Callable[[], None]], units: list[int]) -> list[float]:
    """Return the median units per CPU-second of each work; they take turns in blocks of about `BLOCK_S`."""
    for work in works:
        work()
    rates: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for rate, work, unit in zip(rates, works, units, strict=True):
            done, begin_s = 0, time.process_time()
            while (spent_s := time.process_time() - begin_s) < BLOCK_S:
                work()
                done += unit
            rate.append(done / spent_s)
    return [statistics.median(rate) for rate in rates]


def _row(name: str, value: float, unit: str, against: str, ratio: float) -> Row:
    return Row(name=name, value=value, unit=unit, against=against, ratio=ratio)


if __name__ == "__main__":
    main()
