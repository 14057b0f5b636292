"""A run with a large archive, as a session on Kaggle leaves it, made and kept without holding it in memory."""

import json
import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from kit.harness.archive import package
from kit.harness.checkpoints import CheckpointStore
from kit.harness.run_folder import RunFolder
from kit.run_record import read_run
from tests.remote.kaggle_server.machine import EXECUTED, Done
from tests.remote.kaggle_server.session import Run
from tests.remote.made_runs import PREFIX, TOTAL

PIECE = 2**20


def large_output(working: Path, complete: Path, size_bytes: int) -> Path:
    """Make ``working``, what a session leaves, of the ``complete`` run; return the archive in it.

    The checkpoint before the last one holds ``size_bytes`` that no compression makes smaller. They lie in the archive
    alone: the loose files beside it, which no pull of a sound archive looks at, would only fill the disk.
    """
    run = working / PREFIX
    shutil.copytree(complete, run)
    folder = RunFolder(run)
    store = CheckpointStore(folder.checkpoints, str(read_run(folder)["config_hash"]))
    large = store.save(TOTAL - 1, {"state.safetensors": lambda file: _fill(file, size_bytes)}, exact=False)
    archive = package(run).path
    shutil.rmtree(large.path)
    return archive


def _fill(file: BinaryIO, size_bytes: int) -> None:
    """Write pieces of noise of which no two are the same."""
    noise = random.Random(0).randbytes(PIECE)
    for start in range(0, size_bytes, PIECE):
        file.write((start.to_bytes(8) + noise[8:])[: size_bytes - start])


def leaving(outputs: Mapping[str, Path]) -> Run:
    """Return a runner that runs nothing: a kernel leaves at once what is in the folder of its slug."""

    def run(folder: Path, _limit_s: float, _inputs: Mapping[str, Path], _out: Path) -> Done:
        metadata = json.loads((folder / "kernel-metadata.json").read_text())
        slug = str(metadata["id"]).partition("/")[2]
        return Done("COMPLETE", EXECUTED, "", [], outputs[slug])

    return run
