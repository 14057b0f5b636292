"""The dataset that carries a run from a session that was killed to the next one: its archive, and nothing else.

A version that was cancelled or failed is no safe source for another (whether its output can be attached is not known),
so what came home goes back as a dataset. Only its newest version is kept: checkpoints would fill the account's storage.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from kit.errors import IntegrityError, RemoteError
from kit.harness.atomic import atomic_write, storage_errors
from kit.harness.verify import ARCHIVE
from kit.remote.client import KaggleClient
from kit.remote.kernel_ref import KernelRef

METADATA = "dataset-metadata.json"
READY = re.compile(r"\bready\b")
READY_TRIES, READY_EVERY_S = 120, 10.0
LONGEST = 50
_ENDING = "-state"


def dataset_ref(ref: KernelRef) -> str:
    """Return the dataset of a kernel, ``owner/slug-state``, within the 6 to 50 characters that Kaggle allows."""
    return f"{ref.owner}/{ref.slug[: LONGEST - len(_ENDING)].rstrip('-')}{_ENDING}"


def send(client: KaggleClient, ref: KernelRef, run_dir: Path, folder: Path, step: int) -> int:
    """Upload the archive of ``run_dir`` by ``folder``, and return the version before it, 0 where there was none.

    Raises:
        RemoteError: it was refused.
        IntegrityError: the run is not there any more.
        StorageError: the disk is full.
    """
    name = dataset_ref(ref)
    _lay_out(folder, run_dir / ARCHIVE, name)
    exists = client.dataset_status(name) is not None
    before = wait_until_ready(client, name, 0) if exists else 0
    try:
        client.save_dataset(folder, f"step {step}", exists=exists)
    except RemoteError:
        # A moment ago there was none: this call made it, and its answer was lost; made again its name is in use.
        if exists or client.dataset_status(name) is None:
            raise
    return before


def _lay_out(folder: Path, archive: Path, name: str) -> None:
    if not archive.is_file():
        text = (
            f"{archive} is gone: there is nothing to hand over. Put the run back, or begin anew with --fresh."
        )
        raise IntegrityError(text, [ARCHIVE])
    shutil.rmtree(folder, ignore_errors=True)
    with storage_errors(folder / ARCHIVE):
        folder.mkdir(parents=True)
        try:
            os.link(archive, folder / ARCHIVE)
        except OSError:  # a file system without links
            shutil.copy2(
                archive, folder / ARCHIVE
            )  # by its time the client knows an upload that it broke off
    slug = name.partition("/")[2]
    facts = {"id": name, "title": slug, "licenses": [{"name": "other"}]}
    atomic_write(folder / METADATA, json.dumps(facts, indent=2) + "\n")


def wait_until_ready(client: KaggleClient, name: str, before: int) -> int:
    """Wait until a version after ``before`` can be attached, and return it: it is processed behind the old one.

    Raises:
        RemoteError: it is not ready after twenty minutes.
    """
    status: str | None = None
    for _ in range(READY_TRIES):
        status, version = client.dataset_status(name), client.dataset_version(name)
        # A version that is not told is none that is known to be new.
        if status is not None and READY.search(status) and version is not None and version > before:
            return version
        client.backoff.pause(READY_EVERY_S)
    raise RemoteError(
        f"The dataset {name} is not ready: {status or 'Kaggle does not know it'}. Call it again later."
    )
