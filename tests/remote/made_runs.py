"""Runs as sessions on Kaggle leave them, made by real sessions here: stopped in time, killed, complete."""

import shutil
from pathlib import Path

import numpy as np

from kit import TrainingSession
from kit.harness.cadence import Cadence
from tests.crash.walk import Walk

TOTAL = 40
STOPPED_AT, KILLED_AT = 10, 20
PREFIX = "runs/walk"


def make_runs(root: Path) -> dict[str, Path]:
    """Make one run in three states, each a folder: ``stopped`` at 10 of 40, ``killed`` after 20, ``complete``."""
    out = root / "run"
    _walk(out, stop_at=STOPPED_AT)
    _copy(out, root / "stopped")
    _walk(out, killed=root / "killed")
    _copy(out, root / "complete")
    return {name: root / name for name in ("stopped", "killed", "complete")}


def _walk(out: Path, stop_at: int | None = None, killed: Path | None = None) -> None:
    session = TrainingSession.open(
        "walk",
        total_timesteps=TOTAL,
        config={"seed": 1},
        out=out,
        cadence=Cadence(checkpoint_every_steps=10),
    )
    np.random.seed(0)
    walk = Walk(session.seed)
    session.register(walk=walk)
    for step in session.steps():
        if step == stop_at:
            session.pace.wish = "a test"
        if killed is not None and step == KILLED_AT + 3:
            session.outputs.settle()
            _copy(out, killed)
        session.record(distance=walk.advance())
    session.close()


def _copy(out: Path, to: Path) -> None:
    shutil.copytree(out, to, ignore=shutil.ignore_patterns(".kit"))


def files_of(run: Path, archive: bool = True) -> dict[str, bytes]:
    """Return the files of a run folder as an output lists them, with or without its archive."""
    names = (path for path in sorted(run.rglob("*")) if path.is_file())
    kept = (path for path in names if archive or not path.name.startswith("artifacts.zip"))
    return {f"{PREFIX}/{path.relative_to(run).as_posix()}": path.read_bytes() for path in kept}
