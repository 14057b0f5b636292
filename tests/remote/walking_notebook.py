"""A notebook that trains a random walk, in need of nothing but the kit; it hangs in its first session if told to."""

import json
from pathlib import Path

PARAMETERS = """total_timesteps = 400
seed = 3
pause_s = 0.0
hang_at = -1
checkpoint_steps = 0
note_steps = False
"""
WALK = """import random
import time
from pathlib import Path

import numpy as np

from kit import TrainingSession
from kit.harness.cadence import Cadence


class Walk:
    def __init__(self):
        self.at, self.steps = 0.0, 0

    def advance(self):
        self.at = 0.99 * self.at + random.gauss(0, 1)
        self.steps += 1
        return self.at

    def state_dict(self):
        return {"at": self.at, "steps": self.steps}

    def load_state_dict(self, state):
        self.at, self.steps = state["at"], state["steps"]
"""
TRAIN = """session = TrainingSession.open(
    "walking",
    total_timesteps=total_timesteps,
    config={"seed": seed},
    cadence=Cadence(
        checkpoint_every_steps=checkpoint_steps or None,
        checkpoint_min_s=0.1,
        checkpoint_max_s=0.1,
        export_every_steps=100,
        export_min_s=1.0,
    ),
)
random.seed(seed)
np.random.seed(seed)
walk = Walk()
session.register(walk=walk)
first = not any((Path.cwd().parent / "input").iterdir())
for step in session.steps():
    if step == hang_at and first:
        time.sleep(10_000)
    time.sleep(pause_s)
    at = walk.advance()
    if note_steps:
        with Path("steps.txt").open("a") as done:
            done.write(f"{step}\\n")
    if (step + 1) % 5 == 0:
        session.record(at=at)
"""
CLOSE = "session.close()\n"


def walking_notebook(folder: Path) -> Path:
    """Write the notebook into ``folder`` and return its path."""
    cells = [("parameters", PARAMETERS), ("", WALK), ("", TRAIN), ("", CLOSE)]
    raw = {
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{index}",
                "metadata": {"tags": [tag]} if tag else {},
                "source": source.splitlines(keepends=True),
                "execution_count": None,
                "outputs": [],
            }
            for index, (tag, source) in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = folder / "walking.ipynb"
    path.write_text(json.dumps(raw), encoding="utf-8")
    return path
