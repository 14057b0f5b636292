"""benchmarks/results-league.json: several benchmarks share it, and each replaces its own rows only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "results-league.json"
Row = dict[str, Any]


def kept_rows(path: Path = RESULTS) -> list[Row]:
    """Return the rows that are there; none where there is no file yet."""
    return list(json.loads(path.read_text())) if path.is_file() else []


def replace_rows(rows: Sequence[Row], prefixes: Sequence[str], path: Path = RESULTS) -> None:
    """Put ``rows`` in place of those whose names begin with one of ``prefixes``, or behind all others."""
    there = kept_rows(path)
    own = [place for place, row in enumerate(there) if _is_own(row, prefixes)]
    at = own[0] if own else len(there)
    before = [row for row in there[:at] if not _is_own(row, prefixes)]
    after = [row for row in there[at:] if not _is_own(row, prefixes)]
    path.write_text(json.dumps([*before, *rows, *after], indent=1, ensure_ascii=False) + "\n")


def rows_with(prefixes: Sequence[str], rows: Sequence[Row]) -> list[Row]:
    """Return the rows whose names begin with one of ``prefixes``."""
    return [row for row in rows if _is_own(row, prefixes)]


def _is_own(row: Row, prefixes: Sequence[str]) -> bool:
    return str(row["name"]).startswith(tuple(prefixes))
