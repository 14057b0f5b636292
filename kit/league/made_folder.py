"""The folder of a model that was made here: made.json says by what, and has the checksum of every other file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit.errors import IntegrityError, UsageError
from kit.harness.store import regular_files, sha256_file

MADE = "made.json"


def write_made(folder: Path, wanted: str, facts: Mapping[str, Any]) -> None:
    """Write made.json once everything else is in ``folder``; ``wanted`` is the checksum of what it was made by."""
    files = {name: sha256_file(path) for name, path in regular_files(folder)}
    (folder / MADE).write_text(json.dumps({"sha256": wanted, **facts, "files": files}, indent=2) + "\n")


def is_made(folder: Path, wanted: str) -> bool:
    """Whether ``folder`` holds what was made by ``wanted``; where it does not, it may be replaced.

    Raises:
        UsageError: something is there that was not made here, and would be lost.
        IntegrityError: made.json is damaged, or another file is not as it was made.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            f"{folder} is a file, where the folder of a model is to be made: name another folder."
        )
    there = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()]
    if not there:
        return False
    nothing: dict[str, Any] = {"sha256": "", "files": {}}
    facts = _facts(folder) if MADE in there else nothing
    strange = sorted(set(there) - facts["files"].keys() - {MADE})
    if strange:
        raise UsageError(
            f"{folder} holds {strange[0]}, which is no file of a model that was made here; nothing was changed. "
            "Name another folder, or move it away."
        )
    sums = {name: sha256_file(folder / name) for name in there if name != MADE}
    changed = sorted(name for name, digest in facts["files"].items() if sums.get(name) != digest)
    if changed:
        raise _damaged(folder, f"{', '.join(changed)} not as made", changed)
    return bool(facts["sha256"] == wanted)


def _facts(folder: Path) -> dict[str, Any]:
    try:
        facts = json.loads((folder / MADE).read_bytes())
    except (ValueError, RecursionError) as error:
        raise _damaged(folder, f"{MADE} is no JSON ({error})", [MADE]) from error
    if not (isinstance(facts, dict) and "sha256" in facts and isinstance(facts.get("files"), dict)):
        raise _damaged(folder, f"{MADE} does not say what was made", [MADE])
    return facts


def _damaged(folder: Path, why: str, bad: list[str]) -> IntegrityError:
    return IntegrityError(
        f"The model made in {folder} is damaged: {why}. Remove the folder to have it made again.",
        [f"{folder.name}/{name}" for name in bad],
    )
