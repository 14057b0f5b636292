"""How sound what came home is: its checkpoints, its loose files, and what no checksum covers."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kit.errors import IntegrityError, StorageError
from kit.harness.best import best_sums
from kit.harness.manifest import STEP_FOLDER, verify_checkpoint
from kit.harness.run_folder import RunFolder
from kit.harness.verify import CHECKPOINTS, ROWS, verify

logger = logging.getLogger(__name__)

NEEDED = frozenset({"run.json", *ROWS})


def checkpoints_in(run_dir: Path) -> list[dict[str, Any]]:
    """Return ``{name, fault}`` of each checkpoint, by step; ``fault`` is None where it verifies."""
    found = []
    for path in sorted(RunFolder(run_dir).checkpoints.glob("step-*")):
        if STEP_FOLDER.fullmatch(path.name):
            try:
                verify_checkpoint(path)
                fault = None
            except IntegrityError as error:
                fault = str(error)
            found.append({"name": path.name, "fault": fault})
    return found


def step_of(checkpoint: Mapping[str, Any]) -> int:
    """Return the step of one of ``checkpoints_in``."""
    return int(checkpoint["name"].partition("-")[2])


def files_at_fault(run_dir: Path, names: Iterable[str]) -> list[str]:
    """Return those of the loose files that do not verify; of a checkpoint, all of them."""
    bad = {_within(name) for name in verify(run_dir).bad}
    return [name for name in names if _within(name) in bad]


def _within(name: str) -> str:
    return "/".join(name.split("/")[:2]) if name.startswith(f"{CHECKPOINTS}/") else name


def refuse_damaged(run_dir: Path, left_by: str) -> None:
    """Raise IntegrityError where no checkpoint is sound, or what a run needs is damaged; log what else there is."""
    report = verify(run_dir)
    bad = [name for name in report.bad if name in NEEDED]
    if bad:
        why = f"{left_by} left {bad[0]} damaged: {report.reasons[bad[0]]}. Nothing was kept."
        raise IntegrityError(why, bad)
    if not any(one["fault"] is None for one in checkpoints_in(run_dir)):
        raise IntegrityError(f"{left_by} left no checkpoint that verifies. Nothing was kept.", [CHECKPOINTS])
    for note in (*report.notes, *(f"{name} {why}" for name, why in report.reasons.items())):
        logger.warning("%s", note)


def without_sum(run_dir: Path, names: Iterable[str]) -> list[str]:
    """Return those loose files of a run that no manifest covers: all but checkpoints and the best model's."""
    covered: set[str] = set()
    with suppress(IntegrityError, StorageError):
        covered = {f"best/{name}" for name in best_sums(run_dir / "best")}
    return sorted(name for name in names if not name.startswith(f"{CHECKPOINTS}/") and name not in covered)
