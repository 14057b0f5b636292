"""Opening a run folder: which one, from when its limits count, and whether a run in it has to make way."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit.errors import UsageError
from kit.harness.clock import Clock, process_age_s
from kit.harness.deadline import Deadline, parse_duration
from kit.harness.lock import FileLock
from kit.harness.orders import WatchLimits
from kit.harness.platform import detect, session_began
from kit.harness.run_folder import RunFolder, move_aside
from kit.harness.size import parse_size
from kit.harness.store import sweep
from kit.harness.take_over import TakenOver, take_over
from kit.launched import began_at, launched_at
from kit.options import SessionOptions

logger = logging.getLogger(__name__)


def deadline_of(options: SessionOptions, clock: Clock) -> Deadline:
    """Return the deadline of this session: the limits that hold, and the instant they count from."""
    platform = detect()
    began = began_at()
    if began is None:
        began = session_began(platform, launched_at(), options.limits_given, clock)
    return Deadline(options.limits(platform.session_limit_s), began, clock)


def launched_s(clock: Clock) -> float:
    """Return when this session's command was launched, absolute monotonic seconds: what elapsed time counts from.

    That is the command line's launch, the start of a pushed notebook's machine, or a script's own start; another
    notebook's kernel may have been idle for hours before it opens a session, so there it is now. Deadlines may count
    from elsewhere: see ``deadline_of``.
    """
    launched = launched_at() if began_at() is None else began_at()
    if launched is not None:
        return launched
    age_s = 0.0 if "ipykernel" in sys.modules else process_age_s(os.getpid()) or 0.0
    return clock.monotonic() - age_s


def watch_limits(options: SessionOptions, folder: RunFolder) -> WatchLimits:
    """Return what this session may use: what was asked for, and the disk that the platform grants."""
    platform = detect()
    below = folder.root.is_relative_to(platform.output_root)
    granted = options.disk_limit == "" and platform.disk_limit_bytes is not None and below
    return WatchLimits(
        hang_s=parse_duration(options.hang_limit),
        end_hang=options.end_hang,
        memory_bytes=_size_or_none(options.memory_limit),
        disk_bytes=platform.disk_limit_bytes if granted else _size_or_none(options.disk_limit),
        disk_root=str(platform.output_root) if granted else "",
    )


def _size_or_none(limit: str | float) -> int | None:
    return parse_size(limit) if limit != "" else None


def unattended() -> bool:
    """Whether a failing cell ends the notebook, because nobody is there to go on after it.

    Elsewhere (a person in Jupyter, or plain papermill, which looks the same) the end of the kernel ends the run.
    """
    platform = detect()
    return launched_at() is not None or (platform.kind == "kaggle" and not platform.interactive)


def folder_of(notebook: str, out: str | Path, *, quick_test: bool) -> RunFolder:
    """Return the run folder: ``out``, or ``runs/<notebook>`` where the platform keeps output."""
    if str(out):
        return RunFolder(Path(out).expanduser().absolute())
    name = notebook + ("-quick" if quick_test else "")
    return RunFolder(detect().output_root.absolute() / "runs" / name)


def prepare_folder(folder: RunFolder, *, anew: bool) -> FileLock:
    """Make the folder ready and return its lock, held; with ``anew`` a run that is there is moved aside.

    Where the command line launched this process it has prepared the folder already, and may have put a stop
    request into it since.

    Raises:
        RunLockedError: another process has the run open.
        StorageError: the folder cannot be written.
    """
    launched = launched_at() is not None
    if not launched:
        folder.refuse_foreign()
    if anew and not launched and folder.run_json.exists():
        with FileLock(folder.lock).acquire():
            logger.info("The run that was in %s is now in %s.", folder.root, move_aside(folder))
    folder.create()
    lock = FileLock(folder.lock).acquire()
    with FileLock(folder.watching):  # the watchdog of the session before may still be finalising
        sweep(folder.root)
        if not launched:
            folder.stop_request.unlink(missing_ok=True)
        folder.prune_request.unlink(missing_ok=True)
    return lock


def take_over_inputs(
    options: SessionOptions, folder: RunFolder, asked: Mapping[str, Any]
) -> TakenOver | None:
    """Bring a run of the settings ``asked`` from the attached inputs into a run folder that holds none.

    Returns what was taken over; None where nothing was.

    Raises:
        UsageError: there is none, and the session must not begin anew.
        StorageError: the run folder cannot be written, or has no room.
    """
    if folder.holds_a_run():
        return None
    taken = None
    inputs = Path(options.inputs).expanduser().absolute() if str(options.inputs) else detect().input_root
    if inputs is not None and not options.fresh and not asked.get("quick_test") and inputs.is_dir():
        taken = take_over(inputs, folder, asked)
    if options.must_resume and not folder.holds_a_run():
        where = f" or {inputs}" if inputs is not None else ""
        raise UsageError(
            f"There is no sound run of these settings in {folder.root}{where}, and the session was asked to continue "
            "one. Attach the output of the session before, or leave must_resume out to begin anew."
        )
    return taken
