"""Packages that travel with the kit: what the Kaggle image lacks, is installed here, and is nothing but Python.

On the other side each lies in a folder of its own, at the end of the path where the package is not installed: one of
the image always comes before one that travelled. A package that is large, holds compiled code, or asks for something
that the image has not, cannot travel.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement

from kit.remote.image import Missing, admits, normalised, python_admitted

LARGEST = 2_000_000
"""Bytes of a package's files: sources of that size take about a quarter of it in the notebook."""
_DESCRIBES = re.compile(r"/(METADATA|[^/]*(LICEN[CS]E|COPYING|NOTICE|AUTHORS)[^/]*)$", re.IGNORECASE)
"""What of a package's description travels: its name and version, and its licence."""
_COMPILED = (".so", ".pyd", ".dylib", ".dll")


@dataclass(frozen=True)
class Carried:
    """What travels: the version of each package, and its files, by ``package/place``."""

    versions: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)


def carry(missing: Iterable[Missing]) -> tuple[Carried, list[Missing]]:
    """Return what can travel of ``missing``, with what it needs in turn, and what remains missing."""
    versions: dict[str, str] = {}
    files: dict[str, Path] = {}
    remaining = []
    for one in missing:
        found = _with_needs(one.name, one.wanted)
        if found is None:
            remaining.append(one)
            continue
        for distribution in found:
            versions[normalised(distribution.metadata["Name"])] = distribution.version
            files.update(_files_of(distribution))
    return Carried(versions, files), remaining


def _with_needs(name: str, wanted: str) -> list[metadata.Distribution] | None:
    """Return a package with those it needs and the image lacks; None where one of them cannot travel."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [Requirement(wanted)]
    while waiting:
        requirement = waiting.pop()
        key = normalised(requirement.name)
        if key in found or (key != name and admits(requirement)):
            continue
        try:
            distribution = metadata.distribution(key)
        except metadata.PackageNotFoundError:
            return None
        if not (
            requirement.specifier.contains(distribution.version, prereleases=True) and _travels(distribution)
        ):
            return None
        found[key] = distribution
        needs = [Requirement(line) for line in distribution.requires or ()]
        waiting += [need for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return list(found.values())


def _travels(distribution: metadata.Distribution) -> bool:
    # A project that is installed for editing lists no files of its own here.
    names = [str(file) for file in distribution.files or ()]
    return (
        any(name.endswith(".py") for name in names)
        and not any(name.endswith(_COMPILED) for name in names)
        and "Root-Is-Purelib: true" in (distribution.read_text("WHEEL") or "")
        and sum(path.stat().st_size for path in _files_of(distribution).values()) <= LARGEST
        and python_admitted(_python_of(distribution))
    )


def _python_of(distribution: metadata.Distribution) -> str | None:
    asked = distribution.metadata.json.get("requires_python")
    return asked if isinstance(asked, str) else None


def _files_of(distribution: metadata.Distribution) -> dict[str, Path]:
    kept, package = {}, normalised(distribution.metadata["Name"])
    for file in distribution.files or ():
        name = PurePosixPath(file).as_posix()
        useless = name.endswith(".pyc") or ".." in file.parts or "__pycache__" in file.parts
        if not useless and (".dist-info/" not in name or _DESCRIBES.search(name)):
            kept[f"{package}/{name}"] = Path(str(distribution.locate_file(file)))
    return kept
