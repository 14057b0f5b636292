"""docs/preflight.md: every check, in order, with the reason and the remedy that the code gives."""

import re

from kit.preflight.catalogue import CHECKLIST, CHECKS
from tests.preflight.planted import ROOT


def test_the_page_tells_of_every_check_what_the_code_does():
    """Names in order, the checklist in bold, and why and todo to the letter."""
    text = (ROOT / "docs/preflight.md").read_text()
    rows = [re.split(r" \| ", line.strip("| ")) for line in text.splitlines() if line.startswith("| ")]
    rows = [row for row in rows if row[0] != "check"]
    assert [row[0].strip("*") for row in rows] == [check.name for check in CHECKS]
    assert {row[0].strip("*") for row in rows if row[0].startswith("**")} == set(CHECKLIST)
    assert [(row[2], row[3]) for row in rows] == [(check.why, check.todo) for check in CHECKS]
    assert all(row[1] for row in rows)
