"""Sessions on a random walk, in this process."""

from pathlib import Path
from typing import Any

import numpy as np

from kit import TrainingSession
from kit.harness.cadence import Cadence
from tests.crash.walk import Walk


def open_session(out: Path, steps: int = 40, seed: int = 1, **options: Any) -> TrainingSession:
    """Open a session that looks at everything at each boundary."""
    options = {"cadence": Cadence(checkpoint_every_steps=10)} | options
    return TrainingSession.open("walk", total_timesteps=steps, config={"seed": seed}, out=out, **options)


def ask_at(session: TrainingSession, step: int) -> bool:
    """Let the session wish to stop from ``step`` on; every boundary is looked at."""
    if session.step >= step:
        session.pace.wish = "a test"
    return True


def walk_on(session: TrainingSession, until: int | None = None) -> Walk:
    """Walk to the end, or break off in the middle of a step."""
    np.random.seed(0)
    walk = Walk(session.seed)
    session.register(walk=walk)
    for step in session.steps():
        if step == until:
            raise RuntimeError("broken off")
        if until is not None:
            session.outputs.settle()  # steps of microseconds outrun the disk
        session.record(distance=walk.advance())
    return walk
