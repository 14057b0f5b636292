"""Where a run writes: it can, and what it writes outlives the machine."""

from __future__ import annotations

import tempfile
from pathlib import Path

from kit.errors import KitError
from kit.harness.atomic import atomic_write
from kit.harness.checkpoints import CheckpointStore
from kit.harness.platform import detect
from kit.preflight.check import Check, Verdict, fails, notes, passes
from kit.preflight.launching import Launching
from kit.preflight.notebook_source import keywords_of

PROBE = b"written, synced, read back"
KAGGLE_OUTPUT = detect({"KAGGLE_KERNEL_RUN_TYPE": "Batch"}).output_root
COLAB_DRIVE = Path("/content/drive")


def _look_at_output(launching: Launching) -> Verdict:
    root = launching.folder.root
    blocking = next((path for path in root.parents if path.exists() and not path.is_dir()), None)
    if blocking is not None:
        return fails(f"Not a directory: {blocking}, so {root} cannot be made.")
    try:
        with launching.scratch() as scratch:
            file = scratch / "probe"
            atomic_write(file, PROBE)
            if file.read_bytes() != PROBE:
                return fails(f"What was written below {launching.standing} reads back as something else.")
    except KitError as error:
        return fails(str(error))
    return _survives(launching)


def _survives(launching: Launching) -> Verdict:
    root, platform = launching.folder.root, launching.platform
    below = root.is_relative_to(platform.output_root)
    if platform.kind == "kaggle" and not below:
        return fails(f"{root} is writable, but only what is below {platform.output_root} is kept.")
    if platform.kind == "colab" and not root.is_relative_to(COLAB_DRIVE):
        return notes(f"{root} is writable, and goes with the machine: only a mounted {COLAB_DRIVE} stays.")
    if platform.kind == "local" and root.is_relative_to(tempfile.gettempdir()):
        return notes(f"{root} is writable, and below {tempfile.gettempdir()}, which may be emptied.")
    return passes(f"A file below {launching.standing} was written, synced and read back; the folder stays.")


def _look_at_checkpoints(launching: Launching) -> Verdict:
    files = {"state": PROBE}
    try:
        with launching.scratch() as scratch:
            CheckpointStore(scratch, "preflight").save(1, files, exact=True)
            store = CheckpointStore(scratch, "preflight")
            found = store.newest()
            read = store.load(found) if found is not None else {}
    except KitError as error:
        return fails(str(error))
    if read != files:
        return fails(f"A checkpoint written below {launching.standing} did not come back as it was.")
    return passes(f"A checkpoint was committed below {launching.standing}, found, verified and read back.")


def _look_at_kaggle_output(launching: Launching) -> Verdict:
    """A folder that the notebook names itself holds wherever it runs, on Kaggle too."""
    named = [str(launching.defaults.get("out") or "")]
    named += [
        value
        for value in keywords_of(launching.cells, "TrainingSession.open", "out")
        if isinstance(value, str)
    ]
    lost = [name for name in named if name and not _kept_by_kaggle(name)]
    if lost:
        return fails(f"The notebook writes to {lost[0]!r}; Kaggle keeps {KAGGLE_OUTPUT} and nothing else.")
    if "out" not in launching.parameters:
        return notes("The notebook has no parameter 'out', so no command can say where its run goes.")
    return passes(f"On Kaggle the run goes below {KAGGLE_OUTPUT}, which is kept.")


def _kept_by_kaggle(name: str) -> bool:
    path = Path(name)
    return not path.is_absolute() or path.is_relative_to(KAGGLE_OUTPUT)


OUTPUT = Check(
    "Output writable and in the folder that survives",
    "A twelve-hour run kept its checkpoints in a clone that was deleted at its end.",
    "Give --out a folder that can be written; on Kaggle below /kaggle/working, on Colab on a mounted drive.",
    _look_at_output,
)
CHECKPOINTS = Check(
    "Checkpoint directory readable/writable",
    "Without a checkpoint that can be read again, a kill at the eleventh hour loses eleven hours.",
    "Make the folder of the run writable, or give --out another one.",
    _look_at_checkpoints,
)
KAGGLE_FOLDER = Check(
    "Kaggle output folder configured",
    "What lies outside of Kaggle's output folder is gone when the session ends.",
    'Leave out = "" in the parameters cell and hand it to TrainingSession.open(out=out).',
    _look_at_kaggle_output,
)
