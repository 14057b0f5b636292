"""Trust: pickled state is opened only where this machine wrote it, or where its user said so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.errors import IntegrityError, UntrustedError
from kit.harness.checkpoints import CheckpointRef, CheckpointStore
from kit.harness.origin import Origin
from kit.tensors import decode

if TYPE_CHECKING:
    from kit.session import TrainingSession


def is_own(reference: CheckpointRef, origin: Origin) -> bool:
    """Whether this machine's user wrote the checkpoint, by the proof in its manifest."""
    return origin.proves(reference.origin, reference.signed_content())


def pickled_in(tree: Any, place: str = "") -> str | None:
    """Return where in a checkpoint's tree pickled state is, as ``model/environment``; None where there is none.

    State that was pickled is marked by ``method: "pickle"``, and nothing else of a tree is ever unpickled.
    """
    if isinstance(tree, Mapping):
        if tree.get("method") == "pickle":
            return place or "the state"
        branches: Any = tree.items()
    else:
        branches = enumerate(tree) if isinstance(tree, list | tuple) else ()
    found = (pickled_in(branch, f"{place}/{name}".strip("/")) for name, branch in branches)
    return next((where for where in found if where), None)


def refuse_untrusted(session: TrainingSession) -> None:
    """Refuse the checkpoint that the run would continue from, before anything of the run is changed.

    Own checkpoints are known by their manifests alone; only those of others are read, twice then.

    Raises:
        UntrustedError: this machine did not write it, and it holds pickled state.
    """
    checkpoints = CheckpointStore(session.folder.checkpoints, session.record_of_run.config_hash)
    origin = Origin()
    if session.options.trust or all(is_own(reference, origin) for reference in checkpoints.refs()):
        return
    newest = checkpoints.newest(_unsaid)
    while newest is not None and newest.config_hash == checkpoints.config_hash:
        try:
            tree = decode(checkpoints.load(newest), lambda _: iter(()))
        except IntegrityError:  # what restores passes over it too, and says so
            newest = checkpoints.newest(_unsaid, before=newest.step)
        else:
            refuse_pickled(newest, tree, trust=False, origin=origin)
            return


def refuse_pickled(reference: CheckpointRef, tree: Any, *, trust: bool, origin: Origin | None = None) -> None:
    """Refuse a tree that holds pickled state, unless ``trust`` is given or this machine wrote it.

    Raises:
        UntrustedError: names the checkpoint, what is pickled, and the way out.
    """
    where = None if trust else pickled_in(tree)
    if where is None:
        return
    origin = origin or Origin()
    if is_own(reference, origin):
        return
    what = where.removeprefix("tree/").removeprefix("model/")
    key = f" (this machine's key cannot say: {origin.reason})" if origin.reason else ""
    raise UntrustedError(
        f"{reference.path} was not written by this machine's own runs{key}, and the {what} in it is pickled: opening "
        "it would run whatever code is in it. Nothing of the run was changed. If you know where it comes from, "
        "give --trust (in a notebook: TrainingSession.open(..., trust=True)); --fresh starts anew."
    )


def _unsaid(folder: Path, why: str) -> None:
    """A checkpoint that is passed over here is passed over again when the run is restored, and told of then."""
