"""Wheels from attached data sets: installed beside what the image has, in a folder at the end of the path.

So nothing that is installed is moved: a package of the image is found before one of these, and one that the image has
is not installed at all. Installed is what the build found missing, with what that needs in turn, and no other wheel: an
attached input may hold any. No internet is asked.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, NormalizedName, canonicalize_name, parse_wheel_filename

from kit.errors import MissingDependencyError
from kit.harness.folders import folders_below

logger = logging.getLogger(__name__)

DEEPEST = 5
"""Folders below the root of the inputs."""

Wheels = dict[NormalizedName, list[Path]]


def install_wheels(inputs: Path, site: Path, needed: Iterable[str]) -> list[str]:
    """Install the packages ``needed`` that are not there from wheels below ``inputs``; return what was installed.

    Args:
        inputs: The attached inputs.
        site: A folder for the path; made where something is installed.
        needed: Requirements, such as ``libsumo>=1.20``. What their wheels need in turn is looked for too.

    Raises:
        MissingDependencyError: one of ``needed`` is still missing; says what was found, and what pip said.
    """
    asked = [Requirement(text) for text in needed]
    waiting = [one for one in asked if not is_installed(one.name)]
    if not waiting:
        return []
    wheels = _wheels_below(inputs)
    installed: dict[str, str] = {}
    faults: dict[str, str] = {}
    while waiting:
        requirement = waiting.pop(0)
        name = canonicalize_name(requirement.name)
        if name in installed or name in faults:
            continue
        wheel = _best(requirement, wheels.get(name, []))
        fault = _no_wheel(requirement, wheels.get(name, [])) if wheel is None else _install(wheel, site)
        if wheel is None or fault:
            faults[name] = fault
            continue
        installed[name] = wheel.name
        waiting += [one for one in _needs_of(wheel) if not is_installed(one.name)]
    _tell(installed, faults, {canonicalize_name(one.name) for one in asked})
    return sorted(installed)


def _tell(installed: dict[str, str], faults: dict[str, str], asked: set[NormalizedName]) -> None:
    if installed:
        logger.info("Installed from the attached inputs: %s.", ", ".join(installed.values()))
    fatal = [fault for name, fault in faults.items() if name in asked]
    if fatal:
        raise MissingDependencyError(f"The notebook misses packages that it needs: {'; '.join(fatal)}.")
    for fault in faults.values():
        logger.warning("An attached package may miss what it needs: %s.", fault)


def _best(requirement: Requirement, wheels: list[Path]) -> Path | None:
    """Return the newest wheel that is asked for and that this interpreter takes; of two the more specific one."""
    ranks = {tag: -number for number, tag in enumerate(sys_tags())}
    found = []
    for path in wheels:
        _, version, build, tags = parse_wheel_filename(path.name)
        rank = max((ranks[tag] for tag in tags if tag in ranks), default=None)
        if rank is not None and requirement.specifier.contains(version, prereleases=True):
            found.append((version, rank, build, str(path)))
    return Path(max(found)[-1]) if found else None


def _no_wheel(requirement: Requirement, wheels: list[Path]) -> str:
    there = f", only {', '.join(path.name for path in wheels[:5])}" if wheels else ""
    python = ".".join(map(str, sys.version_info[:2]))
    return f"{requirement}: no attached wheel for Python {python} on this machine{there}"


def _install(wheel: Path, site: Path) -> str:
    """Install one wheel into ``site``; returns what pip said where it refused, else nothing.

    Packages share folders (``sumo`` is of two), and pip replaces or skips one that is there: so each goes into a folder
    of its own first, which is then merged.
    """
    site.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
    with tempfile.TemporaryDirectory(dir=site.parent) as folder:
        done = subprocess.run(
            [*command, "--disable-pip-version-check", "--target", folder, str(wheel)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            return f"{wheel.name} could not be installed: {done.stderr.strip()[-800:]}"
        try:
            shutil.copytree(folder, site, dirs_exist_ok=True)
        except OSError as error:
            return f"{wheel.name} could not be installed: {error}"
    return ""


def _needs_of(wheel: Path) -> Iterator[Requirement]:
    """Yield what a wheel says that it needs here."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        text = archive.read(names[0]).decode(errors="replace") if names else ""
    for line in text.partition("\n\n")[0].splitlines():
        if not line.lower().startswith("requires-dist:"):
            continue
        try:
            need = Requirement(line.partition(":")[2].strip())
        except InvalidRequirement:
            continue
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            yield need


def _wheels_below(inputs: Path) -> Wheels:
    """Return the wheels below ``inputs`` by package."""
    found: Wheels = defaultdict(list)
    for folder, _, names in folders_below(inputs, DEEPEST, "a wheel"):
        for name in names:
            if not name.endswith(".whl"):
                continue
            try:
                found[parse_wheel_filename(name)[0]].append(folder / name)
            except InvalidWheelFilename:
                logger.warning("%s is no wheel's name.", folder / name)
    return found


def is_installed(name: str) -> bool:
    """Whether a package of this name is installed, of whatever version."""
    try:
        metadata.version(canonicalize_name(name))
    except metadata.PackageNotFoundError:
        return False
    return True
