"""What a checkpoint of a run with 1,000,000 transitions costs: the stall of the training thread, and the bytes written.

DQN collects on an environment that costs nothing; once the replay buffer is full, checkpoints are taken at fixed
steps. Beside ours: stable-baselines3's CheckpointCallback with the replay buffer (which never calls fsync), torch.save
of the same arrays, and what the disk alone takes for the same bytes (write + fsync). Each in a process of its own; wall
time of the training thread.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TRANSITIONS = 1_000_000
N_ENVS = 50
EVERY = (10_000, 40_000)
"""Transitions between two checkpoints: two intervals, to show what the bytes go by."""
CHECKPOINTS = 150
RIVAL_SAVES = 6
BAR_MS = 10.0
SETTINGS: dict[str, Any] = {
    "buffer_size": TRANSITIONS,
    "learning_starts": 10**9,  # collection only: the buffer is what costs
    "train_freq": 4,
    "policy_kwargs": {"net_arch": [64, 64]},
}


def main() -> list[dict[str, Any]]:
    """Run every contender in a process of its own; print and return the rows."""
    ours = {every: _run("session", every) for every in EVERY}
    rivals = {mode: _run(mode, EVERY[0]) for mode in ("sb3", "torch", "disk")}
    first, second = (ours[every] for every in EVERY)
    p99 = max(_percentile(found["stalls_ms"], 0.99) for found in ours.values())
    bare = rivals["sb3"]["bare_mib"]
    sb3, torch_ms = (statistics.median(rivals[mode]["stalls_ms"]) for mode in ("sb3", "torch"))
    floor, whole = rivals["disk"]["new_ms"], rivals["disk"]["whole_ms"]
    for every, found in ours.items():
        print(
            f"every {every:,} transitions: {len(found['stalls_ms'])} checkpoints, stall median "
            f"{statistics.median(found['stalls_ms']):.2f} ms, p99 {_percentile(found['stalls_ms'], 0.99):.2f} ms, "
            f"{found['bytes_each'] / 2**20:.2f} MiB written each, "
            f"{found['bytes_per_transition']:.0f} B a new transition (row {found['row_bytes']:.0f} B), "
            f"peak memory {found['peak_mib'] - bare:+.0f} MiB over bare SB3"
        )
    print(
        f"CheckpointCallback(save_replay_buffer=True): {sb3:.0f} ms, "
        f"{rivals['sb3']['bytes_each'] / 2**20:.0f} MiB, peak {rivals['sb3']['peak_mib'] - bare:+.0f} MiB; "
        f"torch.save + fsync: {torch_ms:.0f} ms; write + fsync alone: {whole:.0f} ms for the whole buffer, "
        f"{floor:.1f} ms for {EVERY[0]:,} transitions"
    )
    return [
        {
            "name": "checkpoint stall, 1M transitions, p99",
            "value": p99,
            "unit": "ms",
            "against": f"SB3 CheckpointCallback with replay buffer {sb3:.0f} ms, torch.save {torch_ms:.0f} ms, "
            f"disk alone {floor:.1f} ms for the new bytes and {whole:.0f} ms for all (medians), bar {BAR_MS:.0f} ms",
            "ratio": sb3 / p99,
        },
        {
            "name": "checkpoint bytes, 1M transitions",
            "value": second["bytes_per_transition"],
            "unit": "B/new transition",
            "against": f"a row of {second['row_bytes']:.0f} B; at every {EVERY[0]:,} instead of {EVERY[1]:,} "
            f"transitions {first['bytes_per_transition']:.0f} B; SB3 writes "
            f"{rivals['sb3']['bytes_each'] / 2**20:.0f} MiB each time",
            "ratio": rivals["sb3"]["bytes_each"] / first["bytes_each"],
        },
        {
            "name": "checkpoint peak memory, 1M transitions",
            "value": second["peak_mib"] - bare,
            "unit": "MiB over bare SB3",
            "against": f"bare SB3 with the buffer full {bare:.0f} MiB; new rows between two checkpoints "
            f"{EVERY[1] * second['row_bytes'] / 2**20:.0f} MiB; SB3's own checkpoint "
            f"{rivals['sb3']['peak_mib'] - bare:+.0f} MiB",
            "ratio": second["peak_mib"] / bare,
        },
    ]


def _run(mode: str, every: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.bench_checkpoint", "--mode", mode, "--every", str(every)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _session(every: int, folder: Path) -> dict[str, Any]:
    from stable_baselines3 import DQN

    from benchmarks.random_env import RandomVecEnv
    from kit import TrainingSession
    from kit.harness.cadence import Cadence
    from kit.sb3 import learn

    stalls: list[float] = []
    start = end = (0, 0)
    total = TRANSITIONS + every * (CHECKPOINTS + 1)
    cadence = Cadence(checkpoint_every_steps=every)
    with TrainingSession.open(
        "bench", total_timesteps=total, config={"seed": 0}, out=folder / "run", cadence=cadence
    ) as session:
        boundary, outputs = session.boundary, None

        def timed(step: int, capture: Any) -> bool:
            nonlocal start, end, outputs
            if step < TRANSITIONS:
                return boundary(step, capture)
            outputs = outputs or session.outputs
            if start == (0, 0):
                start = (_written(), step)
            before = outputs._last_checkpoint_step
            began = time.perf_counter()
            go = boundary(step, capture)
            took = time.perf_counter() - began
            if outputs._last_checkpoint_step != before:
                stalls.append(took * 1e3)
                # This environment would be ready for the next before this one is on disk.
                if (fault := outputs.wait()) is not None:
                    raise fault
                end = (_written(), step)
            return go

        session.boundary = timed  # type: ignore[method-assign]
        model = learn(session, DQN, "MlpPolicy", lambda: RandomVecEnv(N_ENVS), **SETTINGS)
        row = _row_bytes(model)
    written, steps = end[0] - start[0], end[1] - start[1]
    return {
        "stalls_ms": stalls,
        "bytes_per_transition": written / steps,
        "bytes_each": written / len(stalls),
        "row_bytes": row,
        "peak_mib": _peak_mib(),
    }


def _row_bytes(model: Any) -> float:
    arrays = model.replay_buffer
    names = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
    return sum(getattr(arrays, name).nbytes for name in names) / TRANSITIONS


def _full_model() -> Any:
    from stable_baselines3 import DQN

    from benchmarks.random_env import RandomVecEnv

    model = DQN("MlpPolicy", RandomVecEnv(N_ENVS), seed=0, **SETTINGS)
    model.learn(TRANSITIONS)
    return model


def _sb3(every: int, folder: Path) -> dict[str, Any]:
    from stable_baselines3.common.callbacks import CheckpointCallback

    model = _full_model()
    stalls: list[float] = []

    class Timed(CheckpointCallback):
        """Times the steps that save; keeps only the newest files, so that the disk holds them."""

        def _on_step(self) -> bool:
            began = time.perf_counter()
            go = super()._on_step()
            if self.n_calls % self.save_freq == 0:
                stalls.append((time.perf_counter() - began) * 1e3)
                for path in folder.iterdir():
                    sizes.append(path.stat().st_size)
                    path.unlink()
            return go

    sizes: list[int] = []
    callback = Timed(every // N_ENVS, str(folder), save_replay_buffer=True)
    base = _rss_mib()
    model.learn(every * RIVAL_SAVES, callback=callback, reset_num_timesteps=False)
    return {
        "stalls_ms": stalls,
        "bytes_each": sum(sizes) / len(stalls),
        "bare_mib": base,
        "peak_mib": _peak_mib(),
    }


def _torch(_every: int, folder: Path) -> dict[str, Any]:
    import torch

    model = _full_model()
    buffer = model.replay_buffer
    tree = {
        "policy": model.policy.state_dict(),
        "optimizer": model.policy.optimizer.state_dict(),
        "buffer": {k: torch.from_numpy(v) for k, v in vars(buffer).items() if hasattr(v, "nbytes")},
    }
    stalls = []
    for _ in range(RIVAL_SAVES):
        began = time.perf_counter()
        with (folder / "state.pt").open("wb") as file:
            torch.save(tree, file)
            file.flush()
            os.fsync(file.fileno())
        stalls.append((time.perf_counter() - began) * 1e3)
    return {"stalls_ms": stalls}


def _disk(every: int, folder: Path) -> dict[str, Any]:
    row = 2 * 40 * 4 + 8 + 3 * 4
    found = {}
    for name, count in (("new_ms", every), ("whole_ms", TRANSITIONS)):
        data = os.urandom(count * row)
        times = []
        for _ in range(RIVAL_SAVES):
            began = time.perf_counter()
            with (folder / "raw").open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            times.append((time.perf_counter() - began) * 1e3)
        found[name] = statistics.median(times)
    return found


def _written() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


def _rss_mib() -> float:
    return _status("VmRSS")


def _peak_mib() -> float:
    return _status("VmHWM")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=("session", "sb3", "torch", "disk"))
    parser.add_argument("--every", type=int, default=EVERY[0])
    chosen = parser.parse_args()
    if chosen.mode:
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as where:
            contender = {"session": _session, "sb3": _sb3, "torch": _torch, "disk": _disk}[chosen.mode]
            print(json.dumps(contender(chosen.every, Path(where))))
    else:
        main()
