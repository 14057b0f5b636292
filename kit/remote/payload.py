"""The payload of a pushed notebook: the kit, and what has to travel with it, in one compressed and checksummed text.

A zip archive without compression of its own, compressed as a whole by LZMA, in base64. The same files give the same
bytes: names are sorted and times fixed. ``site/`` holds a folder a package, ``files/`` what the notebook reads by a
parameter.
"""

from __future__ import annotations

import base64
import hashlib
import io
import lzma
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import kit
from kit.errors import UsageError
from kit.notebooks.locate import repository_root

KEPT = frozenset({".py", ".json", ".csv", ".css", ".html", ".typed"})
"""The kinds of files of the kit that are needed to run it."""
LEFT_HERE = frozenset({"remote/kaggle_image.json"})
"""What only the building side reads."""
SITE, FILES = "site", "files"
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Payload:
    """What travels. ``text`` is base64, ``sha256`` that of the bytes it stands for, ``name`` that of its folder."""

    text: str
    sha256: str
    name: str
    files: int


def pack(site: Mapping[str, Path] | None = None, files: Mapping[str, Path] | None = None) -> Payload:
    """Pack the kit, with packages ``site`` and ``files``, each a name with slashes and where it lies here.

    Raises:
        UsageError: a file cannot be read.
    """
    sources = _kit_files()
    sources.update({f"{SITE}/{name}": path for name, path in (site or {}).items()})
    sources.update({f"{FILES}/{name}": path for name, path in (files or {}).items()})
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(sources):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), _read(sources[name]))
    # Of 8 MiB of dictionary: more than there is to pack, and a tenth of the memory that a higher preset takes.
    data = lzma.compress(target.getvalue(), preset=6 | lzma.PRESET_EXTREME)
    digest = hashlib.sha256(data).hexdigest()
    text = base64.b64encode(data).decode()
    return Payload(text, digest, f"kit-{kit.__version__}-{digest[:12]}", len(sources))


def _kit_files() -> dict[str, Path]:
    root = repository_root()
    folder = root / "kit"
    paths = (path for path in folder.rglob("*") if path.suffix in KEPT and "__pycache__" not in path.parts)
    kept = (path for path in paths if path.relative_to(folder).as_posix() not in LEFT_HERE)
    return {path.relative_to(root).as_posix(): path for path in kept}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be packed: {error.strerror}.") from error
