"""From opening a run to its first resumed step: DQN with 1,000,000 transitions in its replay buffer, imports done.

(torch imports a compiler at the first optimizer, two seconds of it: that is done before, too.)

Beside it what the disk and the checksum take alone for the same bytes: reading every file of the checkpoint once and
summing it with SHA-256. The page cache is dropped before each (``posix_fadvise``), so both read from the disk.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from stable_baselines3 import DQN

from benchmarks.bench_checkpoint import N_ENVS, SETTINGS, TRANSITIONS
from benchmarks.random_env import RandomVecEnv
from kit import TrainingSession
from kit.sb3 import learn

REPEATS = 5
BAR_S = 2.0
STEPS = TRANSITIONS + 100_000


def main() -> list[dict[str, Any]]:
    """Train once up to a full buffer, resume it again and again; print and return the row."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        _run("train", folder)
        opened, read = [], []
        for _ in range(REPEATS):
            read.append(_run("read", folder)["read_s"])
            opened.append(_run("resume", folder)["first_step_s"])
        size = sum(path.stat().st_size for path in _files(Path(folder)))
    middle, alone = statistics.median(opened), statistics.median(read)
    print(
        f"from open to the first resumed step: median {middle:.2f} s ({min(opened):.2f} to {max(opened):.2f}) for "
        f"{size / 2**20:.0f} MiB; reading and summing them alone: {alone:.2f} s; the rest {middle - alone:.2f} s"
    )
    return [
        {
            "name": "open to first resumed step, 1M transitions",
            "value": middle,
            "unit": "s",
            "against": f"reading and summing the same {size / 2**20:.0f} MiB alone {alone:.2f} s; bar 2 s beside that",
            "ratio": middle / (alone + BAR_S),
        }
    ]


def _run(mode: str, folder: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.bench_resume", "--mode", mode, "--folder", folder]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "run/checkpoints").rglob("*") if path.is_file())


def _drop_cache(folder: Path) -> None:
    for path in _files(folder):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _read(folder: Path) -> None:
    _drop_cache(folder)
    began = time.perf_counter()
    for path in _files(folder):
        with path.open("rb") as file:
            hashlib.file_digest(file, "sha256")
    print(json.dumps({"read_s": time.perf_counter() - began}))


def _train(folder: Path) -> None:
    """Fill the buffer and stop there, resumable."""
    with _session(folder) as session:
        boundary = session.boundary

        def stopping(step: int, capture: Any) -> bool:
            session.pace.wish = "the buffer is full" if step >= TRANSITIONS else None
            return boundary(step, capture)

        session.boundary = stopping  # type: ignore[method-assign]
        learn(session, DQN, "MlpPolicy", lambda: RandomVecEnv(N_ENVS), **SETTINGS)


def _resume(folder: Path) -> None:
    """Go on, print how long it took until the first step was asked for, and leave the run as it was."""
    torch.optim.Adam([torch.zeros(1)])
    _drop_cache(folder)
    began = time.perf_counter()
    session = _session(folder)

    class Env(RandomVecEnv):
        """Ends the process at the first step of training; those of the warm-up are no training."""

        def step_async(self, actions: Any) -> None:  # noqa: ARG002
            if session.timer.current in ("collect", "rollout"):
                print(json.dumps({"first_step_s": time.perf_counter() - began}), flush=True)
                session.watchdog.stop()  # or it would finalise what this process left
                os._exit(0)

    learn(session, DQN, "MlpPolicy", lambda: Env(N_ENVS), **SETTINGS)


def _session(folder: Path) -> TrainingSession:
    return TrainingSession.open("bench", total_timesteps=STEPS, config={"seed": 0}, out=folder / "run")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=("train", "read", "resume"))
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    if chosen.mode:
        {"train": _train, "read": _read, "resume": _resume}[chosen.mode](chosen.folder)
    else:
        main()
