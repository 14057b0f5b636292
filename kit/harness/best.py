"""The best model's files: their names and sums in ``best.json``, and their bytes, checked before they are used."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from kit.errors import IntegrityError
from kit.harness.manifest import is_plain_name, open_regular
from kit.harness.summary import read_json

FACTS = "best.json"


def best_sums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of the best model by name, the model's own first; empty where there is none.

    Raises:
        IntegrityError: ``best.json`` holds something else, or names a file that is not beside it.
    """
    return sums_of(folder, read_json(folder / FACTS))


def sums_of(folder: Path, facts: dict[str, Any]) -> dict[str, str]:
    """Return what ``best_sums`` does, from what ``best.json`` holds; raises what that does."""
    if not facts:
        return {}
    beside = facts.get("beside", {})
    if not isinstance(beside, dict):
        raise _bad(folder, f"its 'beside' is {beside!r}")
    sums = {facts.get("file"): facts.get("sha256"), **beside}
    for name, digest in sums.items():
        if not (isinstance(name, str) and is_plain_name(name) and isinstance(digest, str)):
            raise _bad(folder, f"it names {name!r}, with the sum {digest!r}")
    return sums


def best_file(folder: Path, name: str, digest: str) -> bytes:
    """Return the bytes of one file of the best model.

    Raises:
        IntegrityError: it is missing, no regular file, or not the one that was written.
    """
    try:
        with open_regular(folder / name) as file:
            content = file.read()
    except OSError as error:
        raise IntegrityError(f"{folder / name} cannot be read: {error.strerror}.", [name]) from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise IntegrityError(f"{folder / name} does not match {FACTS}.", [name])
    return content


def _bad(folder: Path, why: str) -> IntegrityError:
    return IntegrityError(f"{folder / FACTS} is not that of a best model: {why}.", [FACTS])
