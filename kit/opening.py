"""Opening a run folder: which one, from when its limits count, and whether a run in it has to make way."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.errors import ConfigMismatchError, UsageError
from kit.harness.attached import attached_runs, is_bare, newest_claim
from kit.harness.clock import Clock, process_began_s
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

if TYPE_CHECKING:
    from kit.session import TrainingSession

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
    return clock.monotonic() if "ipykernel" in sys.modules else process_began_s(clock)


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

    One that ended before its first checkpoint counts as none. Returns what was taken over; None where nothing was.

    Raises:
        UsageError: there is none, and the session must not begin anew.
        StorageError: the run folder cannot be written, or has no room.
    """
    taken, inputs = None, _inputs(options)
    if inputs is not None and not asked.get("quick_test") and inputs.is_dir():
        if _is_held(folder, asked):
            _tell_of_further(inputs, folder, asked)
        else:
            taken = take_over(inputs, folder, asked)
    if options.must_resume and not _is_held(folder, asked):
        where = f" or {inputs}" if inputs is not None else ""
        raise UsageError(
            f"There is no sound run of these settings in {folder.root}{where}, and the session was asked to continue "
            "one. Attach the output of the session before, or leave must_resume out to begin anew."
        )
    return taken


def declare(session: TrainingSession, settings: Mapping[str, Any], begin_again: Callable[[], None]) -> None:
    """Add ``settings`` to those of the run; where one that was just taken over has others, take one that fits.

    Raises:
        ConfigMismatchError: the run in the folder was made with others, and no attached one fits.
        StorageError: the run folder cannot be written, or has no room.
    """
    record, inputs = session.record_of_run, _inputs(session.options)
    try:
        record.declare(settings)
    except ConfigMismatchError:
        asked = {**record.asked, **settings}
        if not session.taken_over or inputs is None or not attached_runs(inputs, asked):
            raise
        session.companions.let_go()  # what it had running beside that run
        taken = take_over(inputs, session.folder, asked)
        begin_again()
        if taken is not None:
            logger.info(
                "Taken over instead, for its settings: %s, at step %s.", taken.path, f"{taken.step:,}"
            )
        record.declare(settings)


def _is_held(folder: RunFolder, asked: Mapping[str, Any]) -> bool:
    return folder.holds_a_run() and not is_bare(folder.root, asked)


def _inputs(options: SessionOptions) -> Path | None:
    """Return where a run may be taken over from; None where there is no such place, or the run is to begin anew."""
    if options.fresh:
        return None
    return Path(options.inputs).expanduser().absolute() if str(options.inputs) else detect().input_root


def _tell_of_further(inputs: Path, folder: RunFolder, asked: Mapping[str, Any]) -> None:
    """Warn where the inputs hold a run that is further on than the one in the run folder, which is continued."""
    here = newest_claim(folder.root)
    for run in attached_runs(inputs, asked)[:1]:
        if run.claimed_step > here:
            logger.warning(
                "%s is continued, from step %s; the run in %s is further on, at step %s. To continue that one, move "
                "the run folder aside.",
                *(folder.root, f"{here:,}", run.path, f"{run.claimed_step:,}"),
            )
