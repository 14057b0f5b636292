"""Comparing a run that was killed with one that was not: byte for byte, naming what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kit.appended import LoggedRows
from kit.errors import KitError
from kit.harness.checkpoints import CheckpointStore
from kit.harness.run_folder import RunFolder
from kit.harness.summary import COMPLETE, read_json
from kit.harness.verify import verify

SHOWN = 5
"""Differing values of a checkpoint that are named one by one."""


def differences(killed: RunFolder, undisturbed: RunFolder) -> list[str]:
    """Return what differs, as ``file: what``; nothing where the two runs ended the same.

    Compared are metrics.csv and results.json to the byte, the step and value of the best model, the final
    checkpoint value by value (weights, optimizer, replay buffer, generators …) but for wall-clock times, and
    whether everything on disk verifies.
    """
    found = [] if read_json(killed.summary).get("status") == COMPLETE else ["summary.json: is not complete"]
    for name in ("metrics.csv", "results.json"):
        if _bytes(killed, name) != _bytes(undisturbed, name):
            found.append(f"{name}: {_first_difference(_bytes(killed, name), _bytes(undisturbed, name))}")
    if _best(killed) != _best(undisturbed):
        found.append(f"best/best.json: {_best(killed)}, not {_best(undisturbed)}")
    found += [f"checkpoint: {difference}" for difference in _checkpoint_differences(killed, undisturbed)]
    return found + [f"{name}: does not verify" for name in _unsound(killed)]


def _bytes(run: RunFolder, name: str) -> bytes | None:
    path = run.root / name
    return path.read_bytes() if path.exists() else None


def _first_difference(here: bytes | None, there: bytes | None) -> str:
    if here is None or there is None:
        return "is missing" if here is None else "is there, and the undisturbed run has none"
    ours, theirs = here.split(b"\n"), there.split(b"\n")
    pairs = enumerate(zip(ours, theirs, strict=False), start=1)
    line = next((number for number, (one, other) in pairs if one != other), min(len(ours), len(theirs)))
    return f"differs from line {line} on"


def _best(run: RunFolder) -> dict[str, Any]:
    facts = read_json(run.best / "best.json")
    return {name: facts[name] for name in ("step", "metric", "value") if name in facts}


def _unsound(run: RunFolder) -> list[str]:
    found = verify(run.root).bad
    return found if run.archive.exists() else [*found, run.archive.name]


def _checkpoint_differences(killed: RunFolder, undisturbed: RunFolder) -> list[str]:
    try:
        (step, ours), (other_step, theirs) = _final(killed), _final(undisturbed)
    except KitError as error:
        return [str(error)]
    if step != other_step:
        return [f"the last one is of step {step}, not {other_step}"]
    names = [name for name in sorted({*ours, *theirs}) if not _same(ours.get(name), theirs.get(name))]
    more = [f"and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return [f"{name} differs" for name in names[:SHOWN]] + more


def _final(run: RunFolder) -> tuple[int, dict[str, Any]]:
    """Return the step of the newest checkpoint that verifies, and its values by their place in the tree."""
    from kit.tensors import decode

    store = CheckpointStore(run.checkpoints, str(read_json(run.run_json).get("config_hash", "")))
    newest = store.newest()
    if newest is None:
        return -1, {}
    tree = decode(store.load(newest), lambda log: store.frames(newest, log))
    return newest.step, dict(leaves(tree))


def leaves(tree: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (place, value) of a checkpoint's tree, without what depends on the clock.

    That is the ``t`` of an episode, and a pickled environment, whose wrappers keep the time they began.
    """
    if isinstance(tree, LoggedRows):
        parts = list(tree)
        names = parts[0][2] if parts else {}
        for name in names:
            yield f"{place}/{name}", np.concatenate([arrays[name] for _, _, arrays in parts])
        return
    if isinstance(tree, Mapping):
        pickled = tree.get("method") == "pickle"
        for key, value in tree.items():
            if not (pickled and isinstance(value, bytes | list)) and not _is_clock(place, str(key)):
                yield from leaves(value, f"{place}/{key}")
    elif isinstance(tree, list | tuple):
        yield f"{place}/length", len(tree)
        for number, value in enumerate(tree):
            yield from leaves(value, f"{place}/{number}")
    else:
        yield place, tree


def _is_clock(place: str, key: str) -> bool:
    return key == "t" and "/episodes/" in f"{place}/"


def _same(one: Any, other: Any) -> bool:
    if hasattr(one, "detach") and hasattr(other, "detach"):
        one, other = one.numpy(), other.numpy()
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return type(one) is type(other) and (one == other or repr(one) == repr(other))
