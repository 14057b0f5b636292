"""Delivery: one push of a built kernel, taken once or not at all, whatever becomes of the answer.

A push is no call that may simply be repeated: each one that is taken starts a session. So the pushed source carries a
mark, and where an answer is lost the newest source on Kaggle is read: if it has the mark, the push was taken.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from kit.errors import (
    CredentialsError,
    IntegrityError,
    QuotaError,
    RemoteBusyError,
    RemoteError,
    UsageError,
)
from kit.harness.atomic import atomic_write
from kit.remote.backoff import PassingError
from kit.remote.client import KaggleClient
from kit.remote.kernel_ref import KernelRef
from kit.remote.replies import AbsentError, KernelStatus, Pushed, SourcesError

METADATA = "kernel-metadata.json"
LOOKS, SETTLE_S = 4, 30.0
"""A push whose answer was lost may still arrive, and Kaggle may deny a new kernel for a while: so often it is looked
for, each time so long after the last, before anybody says that it was not taken."""
_MARK = "kit push "


def new_mark() -> str:
    """Return a mark that no other push has."""
    return _MARK + secrets.token_hex(8)


def put_mark(folder: Path, mark: str) -> None:
    """Write ``mark`` as a last cell of text into the notebook of a built kernel, in the place of an earlier one.

    Raises:
        UsageError: the folder holds no built kernel.
    """
    path = code_file(folder)
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = [cell for cell in notebook["cells"] if not "".join(cell["source"]).startswith(_MARK)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no notebook that could be pushed: {error}.") from error
    cell = {"cell_type": "markdown", "metadata": {}, "source": mark}
    if notebook.get("nbformat_minor", 0) >= 5:
        cell["id"] = mark.rpartition(" ")[2]
    atomic_write(path, json.dumps({**notebook, "cells": [*cells, cell]}, indent=1) + "\n")


def code_file(folder: Path) -> Path:
    """Return the notebook of a built kernel; raises UsageError where the folder holds none."""
    return folder / str(metadata_in(folder).get("code_file", ""))


def metadata_in(folder: Path) -> dict[str, object]:
    """Return what ``kernel-metadata.json`` says; raises UsageError where there is none."""
    try:
        facts = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} holds no kernel that could be pushed: {error}.") from error
    if not isinstance(facts, dict) or not facts.get("code_file"):
        raise UsageError(f"{folder / METADATA} names no code_file.")
    return facts


def refuse_busy(client: KaggleClient, ref: KernelRef) -> KernelStatus | None:
    """Return how the newest version stands, None where there is none yet.

    Raises:
        RemoteBusyError: it is queued or running; another push would start a second session beside it.
    """
    try:
        status = client.status(ref)
    except AbsentError:
        return None
    if status.under_way:
        raise RemoteBusyError(
            f"{ref} is {status.state}: a push would start a second session beside it. Nothing was pushed. `status` and "
            "`logs --follow` show how it goes."
        )
    return status


def was_taken(client: KaggleClient, ref: KernelRef, mark: str) -> bool:
    """Whether the newest source on Kaggle is that of the push with ``mark``."""
    try:
        return mark in client.source(ref)
    except AbsentError:
        return False


def has_arrived(client: KaggleClient, ref: KernelRef, mark: str) -> bool:
    """Whether a push with ``mark`` that was made until now is taken: looked for over two minutes, from now on.

    Raises:
        RemoteBusyError: it is not seen, but something runs there.
    """
    for _ in range(LOOKS):
        client.backoff.pause(SETTLE_S)
        if was_taken(client, ref, mark):
            return True
    refuse_busy(client, ref)
    return False


def deliver(client: KaggleClient, ref: KernelRef, folder: Path, mark: str, limit_s: float | None) -> Pushed:
    """Push the kernel in ``folder``, which carries ``mark``.

    Raises:
        QuotaError: the quota is used up; nothing runs.
        SourcesError: it runs, without a source that it needs.
        RemoteError: it was refused, or cannot be delivered; nothing runs, or the message says so.
        IntegrityError: the folder does not carry the mark.
    """
    if mark not in code_file(folder).read_text(encoding="utf-8"):
        raise IntegrityError(f"{folder} does not carry the mark of this push.", [METADATA])
    unsure = False
    for attempt in range(1, client.backoff.tries + 1):
        try:
            return client.push(folder, limit_s)
        except SourcesError:
            raise
        except RemoteError as error:
            again = isinstance(error, PassingError) and attempt < client.backoff.tries
            if isinstance(error, PassingError) and again:
                client.backoff.wait_after(attempt, error, "The push")
            # Once one attempt may have been taken, it is looked for before every other, and before it is given up.
            unsure = unsure or not _is_sure(error)
            if unsure and has_arrived(client, ref, mark):
                return Pushed(None, f"https://www.kaggle.com/code/{ref}", answered=False)
            if again:
                continue
            if isinstance(error, PassingError):
                raise RemoteError(f"{error} Nothing was pushed. Tried {attempt} times.") from error
            raise
    raise AssertionError("unreachable")


def _is_sure(error: RemoteError) -> bool:
    """Whether nothing was pushed, for certain: words that are not known leave it open."""
    return isinstance(error, (QuotaError, RemoteBusyError, CredentialsError)) or (
        isinstance(error, PassingError) and error.sure
    )
