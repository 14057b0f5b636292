"""Writes the tables of docs/memory.md: ``python tools/memory.py``."""

from __future__ import annotations

import sys
from pathlib import Path

from kit.report.memory import tables_markdown
from kit.timing.memory.tables import memory_tables

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "memory.md"
BEGIN, END = "<!-- tables -->\n", "<!-- /tables -->"


def page() -> str:
    """Return the page with current tables."""
    before, rest = PAGE.read_text().split(BEGIN, 1)
    return before + BEGIN + tables_markdown(memory_tables()) + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} is current\n")
