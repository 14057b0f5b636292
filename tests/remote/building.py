"""Notebooks to build, and built ones run where nothing of the repository is."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

WALK = """import numpy as np

from kit import Cadence, TrainingSession

session = TrainingSession.open(
    "walk",
    total_timesteps=steps,
    config={"seed": seed, "rate": rate},
    out=out,
    cadence=Cadence(checkpoint_every_steps=10),
)
np.random.seed(seed)


class Walk:
    at = np.zeros(4)

    def state_dict(self):
        return {"at": self.at}

    def load_state_dict(self, state):
        self.at = state["at"]


walk = Walk()
session.register(walk=walk)
"""
STEP = """for step in session.steps():
    session.outputs.settle()
    if step == until:
        raise RuntimeError("broken off")
    walk.at = rate * walk.at + np.random.normal(size=4)
    session.record(distance=float(np.abs(walk.at).mean()))
"""


def code(source: str, name: str, *tags: str) -> dict[str, Any]:
    """Return a code cell."""
    return {
        "cell_type": "code",
        "id": name,
        "metadata": {"tags": list(tags)} if tags else {},
        "source": source.splitlines(keepends=True),
        "execution_count": 3,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "old"}],
    }


def walk_notebook(folder: Path, parameters: str = "", last: str = "session.close()") -> Path:
    """Write a notebook that walks under a session, with outputs of an earlier run in it."""
    own = 'steps = 40  # of the walk\nseed = 1\nrate = 0.5\nuntil = -1  # break off here\nout = ""\n'
    cells = [
        {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# A walk"},
        code(own + parameters, "cell-0", "parameters"),
        code(WALK, "cell-1"),
        code(STEP, "cell-2"),
        code(last, "cell-3"),
    ]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "random_walk.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    return path


def bare_environment(home: Path, **more: str) -> dict[str, str]:
    """Return an environment that leads to nothing of the repository, with a cache of its own."""
    left_out = ("PYTHONPATH", "KIT_", "KAGGLE_", "COLAB_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return kept | {"XDG_CACHE_HOME": str(home / "cache"), "OMP_NUM_THREADS": "1"} | more


def image_without(folder: Path, *absent: str) -> tuple[str, str]:
    """Return an interpreter and a PYTHONPATH with all that is installed here, but for the kit and what is ``absent``.

    Files that put the repository on the path are not looked at in a folder of the PYTHONPATH.
    """
    folder.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.lower().startswith(("training_kit", "__editable__", *absent)):
            (folder / path.name).symlink_to(path)
    return getattr(sys, "_base_executable", sys.executable), str(folder)


def run_as_kaggle_does(
    notebook: Path, working: Path, python: str = sys.executable, **more: str
) -> subprocess.CompletedProcess[str]:
    """Execute a notebook by papermill in an empty folder; the executed one is ``working.ipynb`` beside it."""
    working.mkdir(parents=True, exist_ok=True)
    output = working.with_suffix(".ipynb")
    command = [python, "-m", "papermill", str(notebook), str(output), "-k", "python3"]
    command.append("--no-progress-bar")
    environment = bare_environment(working.parent, **more)
    return subprocess.run(command, cwd=working, env=environment, capture_output=True, text=True, check=False)
