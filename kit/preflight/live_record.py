"""What the checks saw beside the living model, handed from the notebook's kernel to the command that started it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from kit.errors import KitError
from kit.harness.run_folder import RunFolder
from kit.harness.summary import read_json, write_json
from kit.preflight.check import FAIL, NOTE, PASS, Finding, as_json
from kit.preflight.episodes import EpisodesSeen


def write_live(folder: RunFolder, findings: Iterable[Finding], episodes: EpisodesSeen | None = None) -> None:
    """Write the findings so far, and what is known of its episodes; a training that fails afterwards leaves them."""
    seen = {} if episodes is None else {"episodes": episodes.as_json()}
    write_json(folder.live_checks, as_json(findings) | seen)


def forget_live(folder: RunFolder) -> None:
    """Delete what an earlier quick test in this folder left: it says nothing about the next."""
    with suppress(NotADirectoryError):
        folder.live_checks.unlink(missing_ok=True)


def read_live(folder: RunFolder) -> list[Finding]:
    """Return what the kernel wrote; nothing where it wrote nothing that can be read."""
    try:
        rows = read_json(folder.live_checks).get("checks", [])
        found = [Finding(**{name: str(text) for name, text in row.items()}) for row in rows]
    except (KitError, TypeError, AttributeError):
        return []
    return [finding for finding in found if finding.status in (PASS, NOTE, FAIL)]


def read_episodes(folder: RunFolder) -> EpisodesSeen | None:
    """Return the episodes of the quick test in ``folder``; None where nothing that can be read says anything."""
    try:
        return EpisodesSeen.from_json(read_json(folder.live_checks)["episodes"])
    except (KitError, LookupError, TypeError, ValueError, AttributeError):
        return None
