"""How a file of the report reaches the disk: whole or not at all, in a folder that is made if needed."""

from __future__ import annotations

from pathlib import Path

from kit.errors import StorageError
from kit.harness.store import atomic_write


def put(path: Path, content: bytes | str) -> Path:
    """Write ``content`` to ``path`` and return it. Raises StorageError; what was there before is intact."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"The folder {path.parent} cannot be made: {error.strerror}.") from error
    atomic_write(path, content)
    return path
