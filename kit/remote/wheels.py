"""Wheels from attached data sets: installed beside what the image has, in a folder at the end of the path.

So nothing that is installed is moved: a package of the image is found before one of these, and one that the image has
is not installed at all. No internet is asked, and no dependency is followed: the data set holds all that is missing.
"""

from __future__ import annotations

import itertools
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from kit.errors import MissingDependencyError

logger = logging.getLogger(__name__)

DEEPEST = 5
MOST_FOLDERS = 2_000


def install_wheels(inputs: Path, site: Path) -> list[str]:
    """Install the wheels below ``inputs`` whose packages are not there yet into ``site``; return their names.

    Raises:
        MissingDependencyError: pip refused one; says what it said.
    """
    wheels = [wheel for wheel in _wheels_below(inputs) if not is_installed(wheel.name.partition("-")[0])]
    if not wheels:
        return []
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
    done = subprocess.run(
        [*command, "--disable-pip-version-check", "--target", str(site), *map(str, wheels)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise MissingDependencyError(
            f"The attached wheels could not be installed ({', '.join(one.name for one in wheels)}): "
            f"{done.stderr.strip()[-800:]}"
        )
    names = [wheel.name.partition("-")[0] for wheel in wheels]
    logger.info("Installed from the attached inputs: %s.", ", ".join(names))
    return names


def _wheels_below(inputs: Path) -> Iterator[Path]:
    """Yield one wheel a package, by name, the last of several versions."""
    found: dict[str, Path] = {}
    for parent, folders, names in itertools.islice(os.walk(inputs), MOST_FOLDERS):
        if len(Path(parent).relative_to(inputs).parts) >= DEEPEST:
            folders.clear()
        found |= {
            name.partition("-")[0]: Path(parent, name) for name in sorted(names) if name.endswith(".whl")
        }
    yield from (found[name] for name in sorted(found))


def is_installed(name: str) -> bool:
    """Whether a package of this name is installed, of whatever version."""
    try:
        metadata.version(name.replace("_", "-"))
    except metadata.PackageNotFoundError:
        return False
    return True
