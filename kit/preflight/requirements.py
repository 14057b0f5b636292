"""Whether the installed libraries are those that the kit asks for."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from kit.preflight.check import Check, Verdict, fails, notes, passes
from kit.preflight.launching import Launching

NOT_TO_TRAIN = frozenset({"kaggle", "six"})
"""What the way to Kaggle and back needs, and no training."""


def _look_at_versions(launching: Launching) -> Verdict:
    wanted = read_requirements(launching.requirements)
    if not wanted:
        return notes(f"{launching.requirements.name} lists no library, so there is nothing to compare with.")
    wrong = {need.name: fault for need in wanted if (fault := _fault(need))}
    fatal = [fault for name, fault in wrong.items() if name not in NOT_TO_TRAIN]
    if fatal:
        return fails("; ".join(fatal) + ".")
    if wrong:
        return notes("; ".join(wrong.values()) + "; training does not need it.")
    return passes(f"All {len(wanted)} libraries of {launching.requirements.name} are installed as it asks.")


def read_requirements(path: Path) -> list[Requirement]:
    """Return the requirements in a file of one a line; empty where there is none. Options and comments are left out."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        text = line.partition("#")[0].strip()
        if not text or text.startswith("-"):
            continue
        try:
            found.append(Requirement(text))
        except InvalidRequirement:
            continue
    return found


def _fault(need: Requirement) -> str | None:
    if need.marker is not None and not need.marker.evaluate():
        return None
    try:
        there = metadata.version(need.name)
    except metadata.PackageNotFoundError:
        return f"{need.name} is not installed, {need} is asked for"
    if need.specifier.contains(there, prereleases=True):
        return None
    return f"{need.name} is {there}, {need} is asked for"


VERSIONS = Check(
    "Versions match the requirements",
    "Another version fails hours later, or trains to other numbers; a checkpoint may not open.",
    "pip install -r requirements.txt, with -c constraints.txt for the tested versions.",
    _look_at_versions,
)
