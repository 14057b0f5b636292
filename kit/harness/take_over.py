"""Taking over: the run that an earlier session left in the attached inputs becomes this session's run folder.

Everything is copied and checked in a folder beside, which then changes places with the run folder in one step. So a
kill at any instant leaves a run folder without a run, as it was, or the whole run. Locks and what else a session has
in the folder already come along as hard links: whoever holds one goes on holding it. Inputs are only read.

No proof of origin is made anew: pickled state in what was taken over is asked about like that of any other machine.
"""

from __future__ import annotations

import contextlib
import glob
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.errors import IntegrityError, StorageError
from kit.harness.atomic import TEMPORARY
from kit.harness.attached import AttachedRun, attached_runs, newest_claim, sound_step
from kit.harness.run_folder import BEFORE_A_RUN, OWN, RunFolder, set_aside
from kit.harness.store import clear_beside, committed_directory, is_stale, regular_files
from kit.harness.summary import SessionLedger, read_summary
from kit.harness.unpack import (
    CHUNK,
    DAMAGE,
    ExtractLimits,
    checked_members,
    extract,
    is_safe_name,
    open_archive,
    sums_in,
)
from kit.harness.verify import ARCHIVE

logger = logging.getLogger(__name__)

LEFT_THERE = (ARCHIVE, f"{ARCHIVE}.sha256")
"""An archive is made anew by this session; a copy would only take room."""


CONTROL = ".kit"
LIVING = ("executed.partial.ipynb", "logs/notebook.log")
"""Of a run's own files those that the command line writes before the session opens."""


@dataclass(frozen=True)
class TakenOver:
    """What was taken over: from where, and the step of its newest sound checkpoint."""

    path: Path
    step: int


def take_over(root: Path, folder: RunFolder, asked: Mapping[str, Any]) -> TakenOver | None:
    """Bring the newest sound run of the settings ``asked`` from below ``root`` into ``folder``; None where none is.

    A run that is damaged is passed over with a warning, and the one before it is taken. ``folder`` holds no run yet, or
    one that ended before its first checkpoint: what that one wrote is replaced.

    Raises:
        StorageError: The run folder cannot be written, or has no room; nothing was changed.
    """
    if _clear_unfinished(folder.root):  # it had been moved aside by a process that was then killed
        return None
    runs = attached_runs(root, asked)
    while (run := _newest_sound(runs)) is not None:
        try:
            return _bring(run, folder.root)
        except IntegrityError as error:
            _pass_over(run, error)
            runs.remove(run)
    return None


def _newest_sound(runs: list[AttachedRun]) -> AttachedRun | None:
    """Return the run whose newest sound checkpoint is furthest on; those that hold none are taken off the list."""
    best: tuple[int, AttachedRun] | None = None
    for run in list(runs):
        if best is not None and run.claimed_step <= best[0]:
            break
        try:
            step = run.sound_step()
        except IntegrityError as error:
            _pass_over(run, error)
            runs.remove(run)
            continue
        if best is None or step > best[0]:
            best = step, run
    return best[1] if best else None


def _pass_over(run: AttachedRun, error: IntegrityError) -> None:
    logger.warning("%s is passed over: %s", run.path, error)


def _bring(run: AttachedRun, root: Path) -> TakenOver:
    root.parent.mkdir(parents=True, exist_ok=True)
    with committed_directory(root) as temporary:
        if run.is_archive:
            _unpack(run.path, temporary)
        else:
            _copy(run.path, temporary)
        step = _check(temporary, run.config_hash)
        if root.is_dir():
            _link_living(root, temporary)
    return TakenOver(run.path, step)


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with open_archive(archive) as opened:
            members = [one for one in checked_members(opened) if one.filename.partition("/")[0] in OWN]
            extract(opened, members, folder, sums_in(opened))
    except StorageError:
        raise
    except DAMAGE as error:
        raise IntegrityError(f"{archive} cannot be read: {error}.", [archive.name]) from error


def _copy(source: Path, folder: Path) -> None:
    """Copy a run's own files, and nothing else that lies there.

    Raises:
        IntegrityError: They cannot be read, or are no run's: too many, too large, or of no name that a run has.
        StorageError: They cannot be written.
    """
    files = [(name, path) for name, path in regular_files(source) if _is_wanted(name)]
    limits, size = ExtractLimits(), sum(path.stat().st_size for _, path in files)
    if len(files) > limits.max_files or size > limits.max_bytes:
        raise IntegrityError(f"{source} holds {len(files):,} files of {size:,} bytes.", [source.name])
    free = shutil.disk_usage(folder).free
    if size > free:
        raise StorageError(f"{folder.parent}: the run in {source} has {size:,} bytes, and {free:,} are free.")
    for name, path in files:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as copy:
            for chunk in _chunks(path):
                copy.write(chunk)


def _chunks(path: Path) -> Iterator[bytes]:
    """Yield what is in a file; an input that cannot be read is a damaged one, and no failing disk of this run."""
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except OSError as error:
        raise IntegrityError(f"{path} cannot be read: {error.strerror}.", [path.name]) from error


def _is_wanted(name: str) -> bool:
    return name.partition("/")[0] in OWN and name not in LEFT_THERE and is_safe_name(name)


def _check(folder: Path, config_hash: str) -> int:
    """Return the step of what was copied, once everything that a session reads back can be read."""
    run = RunFolder(folder)
    if not run.holds_a_run():
        raise IntegrityError(f"{folder} holds no run.json of a run.", ["run.json"])
    read_summary(run.summary)
    _ = SessionLedger(run)
    return sound_step(folder, config_hash)


def _link_living(root: Path, folder: Path) -> None:
    """Give what a session has in ``root`` already the same names in ``folder``; there a living file comes first."""
    begun = RunFolder(root).holds_a_run()
    for parent, _, names in os.walk(root):
        for name in names:
            living = Path(parent, name)
            place = living.relative_to(root)
            if begun and place.parts[0] in OWN and place.as_posix() not in LIVING:
                continue  # of a run that never came to a checkpoint
            target = folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                target.unlink()
            _link(living, target, shared=place.parts[0] == CONTROL)


def _link(living: Path, target: Path, *, shared: bool) -> None:
    """Give a file a second name; where the place has none (a mounted Drive), a copy.

    What is ``shared`` is never copied: locks and shared memory are held by the file, and not by its content.
    """
    try:
        os.link(living, target, follow_symlinks=False)
    except OSError:
        if shared:
            raise
        shutil.copy2(living, target, follow_symlinks=False)


def _clear_unfinished(root: Path) -> bool:
    """Clear what a session that was killed while it took over left beside; whether a run was put back by that.

    Where it was killed between two renames, what was in the folder before lies beside it. It is put back, or where a
    folder was made in its place since, kept beside it, if it is a run that was begun or holds somebody's files.
    """
    there = root.exists()
    if there and not RunFolder(root).holds_a_run():
        for path in root.parent.glob(f".{glob.escape(root.name)}.*.old"):
            match = TEMPORARY.fullmatch(path.name)
            if match is None or match["name"] != root.name or not (path.is_dir() and is_stale(path.name)):
                continue
            if not {one.name for one in path.iterdir()} <= BEFORE_A_RUN:
                aside = set_aside(path, root)
                logger.warning("What was in %s before a session was killed is now in %s.", root, aside)
    clear_beside(root)
    return not there and newest_claim(root) >= 0
