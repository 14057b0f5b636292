"""Interruption: Ctrl-C ends a command here, and nothing on Kaggle. What goes on there, and what takes it up again.

A command that is killed without a word leaves the same; nothing here is needed for it to be continued.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.errors import KitError, LeftRunningError, RemoteError
from kit.remote.chain_state import ChainState
from kit.remote.kernel_ref import KernelRef

COMMAND = "python validation_cli.py"


@contextmanager
def told_when_interrupted(how: Callable[[], KitError]) -> Iterator[None]:
    """Turn KeyboardInterrupt into the error that ``how`` returns when it comes; of several the outermost says it."""
    try:
        yield
    except (KeyboardInterrupt, LeftRunningError):
        raise how() from None


def interrupted_before() -> RemoteError:
    """Return what is said of a push that was interrupted before it was made."""
    return RemoteError("Interrupted before the push. Nothing was pushed, and nothing runs at Kaggle for it.")


def interrupted_push(ref: KernelRef) -> LeftRunningError:
    """Return what is said of a push that was interrupted before its answer was read."""
    return LeftRunningError(
        f"Interrupted while {ref} was being pushed: whether Kaggle took it is not known yet. `{COMMAND} status {ref}` "
        "says it within two minutes; where it runs, it goes on, and a second push is refused."
    )


def interrupted_wait(ref: KernelRef, out: Path) -> LeftRunningError:
    """Return what is said where nobody waits for a kernel any more."""
    return LeftRunningError(
        f"Interrupted. {ref} goes on at Kaggle, and nothing of it is lost: `{COMMAND} logs {ref} --follow` shows it, "
        f"`{_pull(ref, out)}` brings its run home once it has ended."
    )


def interrupted_pull(ref: KernelRef, out: Path) -> LeftRunningError:
    """Return what is said of a pull that was interrupted: the run folder is there whole, or as it was."""
    return LeftRunningError(
        f"Interrupted. What {ref} left stays at Kaggle, and nothing half is in {out}: "
        f"`{_pull(ref, out)}` brings it home."
    )


def interrupted_logs(ref: KernelRef, *, follow: bool) -> LeftRunningError:
    """Return what is said where nobody reads a log any more."""
    words = f"{COMMAND} logs {ref}{' --follow' * follow}"
    return LeftRunningError(
        f"Interrupted. Where {ref} runs it goes on at Kaggle, and nothing of it is lost: `{words}` shows its log "
        "again, from the first line."
    )


def interrupted_chain(ref: KernelRef, state: ChainState, *, fresh: bool) -> LeftRunningError:
    """Return what is said of a chain that was interrupted: where its newest session is, and that nothing is lost."""
    if not state.identity:
        return LeftRunningError(
            "Interrupted before anything was done. What runs at Kaggle goes on; the same command takes it up."
        )
    last = state.last
    if last is None or last.stage == "taken":
        now = "No session of this chain is at Kaggle"
    elif last.stage == "intended":
        now = f"Session {last.number} was being pushed; whether Kaggle took it is found out before anything is pushed"
    elif last.stage == "pushed":
        now = f"Session {last.number} goes on at Kaggle (`{COMMAND} logs {ref} --follow` shows it)"
    else:
        now = f"Session {last.number} has ended, and what it left stays at Kaggle until it is home"
    home = f" Step {state.home_step:,} is at home." if state.home_step >= 0 else ""
    again = "The same command, without --fresh," if fresh else "The same command"
    return LeftRunningError(f"Interrupted. {now}.{home} Nothing is lost. {again} goes on from here.")


def _pull(ref: KernelRef, out: Path) -> str:
    return f"{COMMAND} pull {ref} --out {shlex.quote(str(out))}"
