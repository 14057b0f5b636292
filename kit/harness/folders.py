"""Folders below a root, level by level and within bounds: a data set of a million pictures hides none of the others.

For attached inputs, which may hold anything. Nothing here writes.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

logger = logging.getLogger(__name__)

MOST_FOLDERS = 10_000
"""Folders looked into."""
MOST_NAMES = 10_000
"""Names read of one folder."""


def folders_below(root: Path, deepest: int, sought: str) -> Iterator[tuple[Path, list[Path], list[str]]]:
    """Yield ``(folder, its folders, the names of its files)``, breadth first and by name, the root before all others.

    As with ``os.walk``, what the caller takes out of the list of folders is not gone into. A link to a folder is
    followed in the root alone, since an input may be mounted as one. What cannot be read is passed over; that, and a
    bound that was reached, is told in the log, with ``sought`` (``a run``) as what may be missed.

    Args:
        root: Where to begin.
        deepest: How many levels below the root are looked into.
        sought: What the caller looks for.
    """
    waiting = deque([(root, 0)])
    for _ in range(MOST_FOLDERS):
        if not waiting:
            return
        folder, depth = waiting.popleft()
        folders, names = _entries(folder, follow=depth == 0)
        yield folder, folders, names
        if depth < deepest:
            waiting += [(one, depth + 1) for one in folders]
    if waiting:
        logger.warning(
            "%s holds more than %s folders: %s in the rest is not found.", root, MOST_FOLDERS, sought
        )


def _entries(folder: Path, *, follow: bool) -> tuple[list[Path], list[str]]:
    folders, names = [], []
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number >= MOST_NAMES:
                    logger.warning("%s holds more than %s names: the rest is not seen.", folder, MOST_NAMES)
                    break
                if entry.is_dir(follow_symlinks=follow):
                    folders.append(Path(entry.path))
                else:
                    names.append(entry.name)
    except OSError as error:
        logger.warning("%s cannot be looked into: %s", folder, error.strerror)
    return sorted(folders), sorted(names)
