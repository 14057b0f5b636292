"""Attached inputs: where an earlier session of the same run left it, in folders that can only be read.

A session on another machine finds the one before as files below ``/kaggle/input``: a run folder, or its
``artifacts.zip``, at whatever depth the place mounts them. Only a run of the same settings is a candidate; whether it
is sound is looked at before anything is copied. Nothing here writes.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.errors import IntegrityError
from kit.harness.checkpoints import CheckpointStore
from kit.harness.config import describe, differences
from kit.harness.folders import folders_below
from kit.harness.manifest import STEP_FOLDER
from kit.harness.run_folder import RunFolder
from kit.harness.store import is_temporary
from kit.harness.unpack import DAMAGE, checked_members, member_faults, open_archive
from kit.harness.verify import ARCHIVE, CHECKPOINTS

logger = logging.getLogger(__name__)

DEEPEST = 8
"""Folders below the root of the inputs: Kaggle has mounted at one to three."""
MOST_FACTS = 16 * 2**20
"""Bytes of run.json: what is larger is none."""
FORMS = {"config": dict, "declared": list, "scalings": list, "total_timesteps": int, "config_hash": str}
_MOVED_ASIDE = re.compile(r".+\.old-[0-9]+")
_STEP_IN = re.compile(rf"{CHECKPOINTS}/{STEP_FOLDER.pattern}/manifest\.json")


@dataclass(frozen=True)
class AttachedRun:
    """A run in the inputs: a run folder or an archive, what its run.json says, and the step it claims to be at."""

    path: Path
    facts: Mapping[str, Any]
    claimed_step: int

    @property
    def is_archive(self) -> bool:
        """Whether ``path`` is an archive, and not a run folder."""
        return self.path.name == ARCHIVE

    @property
    def config_hash(self) -> str:
        """The hash that its checkpoints must carry."""
        return str(self.facts["config_hash"])

    def sound_step(self) -> int:
        """Return the step of its newest checkpoint that verifies; of an archive, after every member was checked.

        Raises:
            IntegrityError: None verifies, or the archive is damaged.
        """
        if not self.is_archive:
            return sound_step(self.path, self.config_hash)
        try:
            with open_archive(self.path) as archive:
                for name, fault in member_faults(archive, checked_members(archive)):
                    raise IntegrityError(f"{self.path}: {name} {fault}.", [name])
        except DAMAGE as error:
            raise IntegrityError(f"{self.path} cannot be read: {error}.", [self.path.name]) from error
        return self.claimed_step


def sound_step(run_dir: Path, config_hash: str) -> int:
    """Return the step of the newest checkpoint of this configuration that verifies.

    Raises:
        IntegrityError: There is none.
    """
    newest = CheckpointStore(RunFolder(run_dir).checkpoints, config_hash).newest()
    if newest is None or newest.config_hash != config_hash:
        raise IntegrityError(f"{run_dir} holds no sound checkpoint of its run.", [run_dir.name])
    return newest.step


def newest_claim(run_dir: Path) -> int:
    """Return the step of the newest checkpoint in a run folder, sound or not, of whatever settings; -1 without one."""
    found = (STEP_FOLDER.fullmatch(path.name) for path in (run_dir / CHECKPOINTS).glob("step-*"))
    return max((int(match[1]) for match in found if match), default=-1)


def is_bare(run_dir: Path, asked: Mapping[str, Any]) -> bool:
    """Whether a run of the settings ``asked`` was begun in a folder, and ended before its first checkpoint."""
    if newest_claim(run_dir) >= 0:
        return False
    try:
        return not _differences(_read(run_dir).facts, asked)
    except (IntegrityError, KeyError, RecursionError, *DAMAGE):
        return False


def attached_runs(root: Path, asked: Mapping[str, Any]) -> list[AttachedRun]:
    """Return the runs below ``root`` that were made with the settings ``asked``, the one furthest on first.

    Settings that a run declared after it was opened are compared where they are asked for: a session that declares
    them has not yet done so when it opens. A run of other settings is passed over, and the log says which differ.
    """
    found = []
    for path in _places(root):
        try:
            run = _read(path)
            differing = _differences(run.facts, asked)
        except (IntegrityError, KeyError, RecursionError, *DAMAGE) as error:
            logger.warning("%s is passed over: %s", path, error)
            continue
        if differing:
            told = ", ".join(
                f"{name} {old!r} (here {new!r})" for name, (old, new) in list(differing.items())[:5]
            )
            logger.warning("%s is not continued, it is a run of other settings: %s", path, told)
        else:
            found.append(run)
    # A folder needs no unpacking: of two that are equally far it comes first.
    return sorted(found, key=lambda run: (-run.claimed_step, run.is_archive, str(run.path)))


def _differences(facts: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    declared = facts.get("declared", [])
    there = {"quick_test": facts.get("quick_test", False), **facts["config"]}
    known = {key: there[key] for key in there if key in asked or key not in declared}
    return differences(known, describe(asked))


def _read(path: Path) -> AttachedRun:
    if path.name == ARCHIVE:
        with open_archive(path) as archive:
            names = [member.filename for member in checked_members(archive)]
            with archive.open("run.json") as member:
                facts = _facts(member.read(MOST_FACTS + 1), path)
        steps = [int(match[1]) for name in names if (match := _STEP_IN.fullmatch(name))]
        return AttachedRun(path, facts, max(steps, default=-1))
    with (path / "run.json").open("rb") as file:
        facts = _facts(file.read(MOST_FACTS + 1), path)
    refs = CheckpointStore(RunFolder(path).checkpoints, facts["config_hash"]).refs()
    steps = [one.step for one in refs if one.config_hash == facts["config_hash"]]
    return AttachedRun(path, facts, max(steps, default=-1))


def _facts(data: bytes, path: Path) -> dict[str, Any]:
    facts = json.loads(data) if len(data) <= MOST_FACTS else None
    if not isinstance(facts, dict) or not {"config", "config_hash"} <= facts.keys():
        raise IntegrityError(f"{path} holds no run.json of a run.", ["run.json"])
    for name, kind in FORMS.items():
        if not isinstance(facts.get(name, kind()), kind):
            raise IntegrityError(f"{path} holds no run: its {name!r} is {facts[name]!r}.", ["run.json"])
    return facts


def _places(root: Path) -> Iterator[Path]:
    """Yield the run folders and archives below ``root``; what lies inside a run folder is not looked at."""
    for folder, folders, _ in folders_below(root, DEEPEST, "a run"):
        if (folder / ARCHIVE).is_file():
            yield folder / ARCHIVE
        if (folder / "run.json").is_file():
            yield folder
            folders.clear()
        folders[:] = [inner for inner in folders if not is_given_up(inner.name)]


def is_given_up(name: str) -> bool:
    """Whether a folder of this name holds no run to go on with: --fresh moved it aside, or it was never finished."""
    return is_temporary(name) or bool(_MOVED_ASIDE.fullmatch(name))
