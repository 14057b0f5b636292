"""The exception tree: every failure that the kit expects, and the exit code it ends with.

    KitError                     exit 1
    ├── UsageError               exit 2   a bad value: names it, the legal ones and the nearest
    │   ├── UnknownNameError     exit 2   no notebook, parameter, scenario … of that name
    │   ├── ConfigMismatchError  exit 2   the run folder holds a run with other settings
    │   ├── RunLockedError       exit 2   another process has this run folder open
    │   ├── UntrustedError       exit 2   a checkpoint from elsewhere holds pickled state, which is code
    │   └── ContextLengthError   exit 2   a prompt and its answer do not fit into the model's context
    ├── MissingDependencyError   exit 2   an optional library is not installed
    ├── IntegrityError           exit 5   a checksum, a size or a manifest does not match
    ├── StorageError             exit 1   the disk is full, read-only or failing
    ├── NotebookError            exit 1   a cell failed, was skipped, or the kernel died
    ├── PreflightError           exit 1   a check on the way into a run failed
    ├── DivergenceError          exit 1   a loss or a gradient is not a finite number
    ├── GameError                exit 1   a game broke: its environment threw, or an opponent gave no answer
    └── RemoteError              exit 1   Kaggle refused, failed, answered nonsense, or cannot be reached
        ├── CredentialsError     exit 2   no credentials, wrong ones, or expired ones
        ├── QuotaError           exit 3   the weekly quota does not hold what is asked for
        ├── RemoteBusyError      exit 4   a run is still going on there
        └── LeftRunningError     exit 4   the command was interrupted; what is at Kaggle goes on, or stays

Anything else that is raised is a bug, in the kit or in the caller's code, and surfaces as it is.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar


class KitError(Exception):
    """The root: a failure that the kit expects and can explain."""

    exit_code = 1


class UsageError(KitError, ValueError):
    """A value that cannot be used. ``nearest`` is the closest legal one, or None."""

    exit_code = 2

    def __init__(self, message: str, nearest: str | None = None) -> None:
        super().__init__(message)
        self.nearest = nearest


class UnknownNameError(UsageError):
    """A name that is not among the legal ones; the message lists them and the closest match."""

    def __init__(self, kind: str, value: object, legal: Iterable[str]) -> None:
        names = sorted(legal)
        nearest = nearest_match(str(value), names)
        hint = f" Did you mean {nearest!r}?" if nearest else ""
        super().__init__(f"Unknown {kind} {value!r}.{hint} Legal: {', '.join(names) or '(none)'}.", nearest)
        self.kind, self.value, self.legal = kind, value, names


class ConfigMismatchError(UsageError):
    """The folder holds a run with other settings. ``differences`` maps a setting to (there, asked for)."""

    def __init__(self, message: str, differences: Mapping[str, tuple[object, object]]) -> None:
        super().__init__(message)
        self.differences = dict(differences)


class RunLockedError(UsageError):
    """Another live process has the run folder open. ``pid`` is that process, 0 where unknown."""

    def __init__(self, message: str, pid: int) -> None:
        super().__init__(message)
        self.pid = pid


class UntrustedError(UsageError):
    """Opening a checkpoint that this machine did not write would run code. ``nearest`` is the option that allows it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "--trust")


class MissingDependencyError(KitError):
    """An optional library is not installed; the message gives the command that installs it."""

    exit_code = 2


class IntegrityError(KitError):
    """Bytes on disk are not those that were written. ``bad`` lists the files at fault."""

    exit_code = 5

    def __init__(self, message: str, bad: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.bad = list(bad)


class StorageError(KitError, OSError):
    """Writing failed (disk full, read-only, I/O error); what was there before is intact."""


class NotebookError(KitError):
    """A notebook did not run to its end: a cell raised, was skipped, or the kernel died."""


class ContextLengthError(UsageError):
    """A prompt and the longest answer to it do not fit into the model's context."""


class PreflightError(KitError):
    """A run was not begun: a check on the way into it failed; the message names it and says what to do."""


class DivergenceError(KitError):
    """A loss or a gradient is not a finite number: training on would destroy the weights. Names the batch."""


class GameError(KitError):
    """A game broke: its environment threw, or an opponent gave no answer. The league records it and plays on."""


class RemoteError(KitError):
    """Kaggle refused, failed, answered what it should not, or cannot be reached; the message says which."""


class CredentialsError(RemoteError):
    """Kaggle knows nobody by these credentials: there are none, they are wrong, or they have expired."""

    exit_code = 2


class QuotaError(RemoteError):
    """The weekly quota of the account does not hold what is asked for; nothing was begun."""

    exit_code = 3


class RemoteBusyError(RemoteError):
    """A run is still going on under that name: another would run beside it, and what it leaves is not there yet."""

    exit_code = 4


class LeftRunningError(RemoteError):
    """A command was interrupted. What runs on Kaggle goes on, what lies there stays; the message says how to go on."""

    exit_code = 4


T = TypeVar("T")


def choose(kind: str, name: str, table: Mapping[str, T]) -> T:
    """Return ``table[name]``; raises UnknownNameError, which lists the legal names, where there is none."""
    if name not in table:
        raise UnknownNameError(kind, name, table)
    return table[name]


def nearest_match(value: str, legal: Iterable[str]) -> str | None:
    """Return the legal name closest to ``value``, or None when nothing is close."""
    matches = difflib.get_close_matches(value, list(legal), n=1, cutoff=0.5)
    return matches[0] if matches else None
