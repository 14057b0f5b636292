"""The history of forecasts: pairs of predicted and actual times, shipped with the kit, grown and merged by the user."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kit.errors import UsageError
from kit.harness.platform import cache_folder
from kit.timing.pair import NO_PAIR, Pair

logger = logging.getLogger(__name__)

SHIPPED = Path(__file__).with_name("history.json")


def user_history() -> Path:
    """Return where the user's own pairs grow: the cache folder of the platform."""
    return cache_folder() / "history.jsonl"


def read_pairs(path: Path | None = None) -> list[Pair]:
    """Return the pairs in a history file (JSON lines); none where there is no file.

    The history only narrows an interval, so no damage to it ends a run: a line that is no pair, or a file that
    cannot be read, is skipped with a warning that names it.
    """
    try:
        file = user_history() if path is None else path
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        logger.warning("The history of forecasts cannot be read, so it does not count: %s", error)
        return []
    pairs = []
    for number, line in enumerate(lines, 1):
        try:
            pairs.append(Pair.from_json(json.loads(line)))
        except NO_PAIR as error:
            logger.warning("%s, line %d, is not a pair of times and is skipped: %s", file, number, error)
    return pairs


def add_pair(pair: Pair, path: Path | None = None) -> None:
    """Append one finished run to the user's history; where that cannot be written, a warning says so."""
    try:
        _append([pair], user_history() if path is None else path)
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        logger.warning("The time of this run is not added to the history of forecasts: %s", error)


def _append(pairs: Iterable[Pair], file: Path) -> None:
    lines = "".join(json.dumps(pair.as_json()) + "\n" for pair in pairs).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"  # a kill cut the line before this one
        os.write(descriptor, b"\n" * torn + lines)
    finally:
        os.close(descriptor)


def shipped_pairs() -> list[Pair]:
    """Return the pairs that come with the kit."""
    return [Pair.from_json(row) for row in json.loads(SHIPPED.read_text())]


@dataclass(frozen=True)
class Merged:
    """What a merge did: pairs in the other history, and those of them that were new here."""

    found: int
    added: int


def merge_history(source: Path, path: Path | None = None) -> Merged:
    """Add the pairs of another history file to the user's, each once; a file with a fault adds nothing.

    Raises:
        UsageError: ``source`` is no history, or cannot be read, or the user's cannot be written; with the place.
    """
    return merge_pairs(_strictly(source), path)


def merge_pairs(pairs: Iterable[Pair], path: Path | None = None) -> Merged:
    """Add those that are not there yet to the user's history; raises UsageError where it cannot be written."""
    others = list(pairs)
    try:
        file = user_history() if path is None else path
        seen = {pair.identity for pair in read_pairs(file)}
        new = {pair.identity: pair for pair in others if pair.identity not in seen}
        if new:
            _append(new.values(), file)
    except (OSError, RuntimeError) as error:
        raise UsageError(f"The history of forecasts cannot be written: {error}") from error
    return Merged(len(others), len(new))


def _strictly(source: Path) -> list[Pair]:
    """Read a history of JSON lines, or of one JSON list; the first fault is an error with its line."""
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{source} cannot be read as a history of forecasts: {error}") from error
    listed = text.lstrip().startswith("[")
    try:
        rows = list(enumerate(json.loads(text), 1)) if listed else []
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{source} is no history of forecasts: {error}") from error
    pairs = []
    for number, row in rows if listed else enumerate(text.splitlines(), 1):
        try:
            pairs.append(Pair.from_json(row if listed else json.loads(row)))
        except NO_PAIR as error:
            place = f"entry {number}" if listed else f"line {number}"
            raise UsageError(f"{source}, {place}, is not a pair of times: {error}.") from error
    if not pairs:
        raise UsageError(f"{source} holds no pair of times.")
    return pairs
