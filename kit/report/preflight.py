"""What a person reads of a preflight: every check in a line; of those that failed, why it matters and what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 100
MARKS = {"pass": "pass", "note": "note", "fail": "FAIL"}
INDENT = "        "
UNSEEN = "Not looked at: "
"""How the note of a check begins that was not made."""


def preflight_text(found: Mapping[str, Any]) -> str:
    """Return all checks, and what to do about those that failed."""
    return "\n".join([*_lines(found["checks"]), _sums(found)])


def preflight_brief(found: Mapping[str, Any]) -> str:
    """Return the sums, and the checks that did not pass."""
    worth = [check for check in found["checks"] if check["status"] != "pass"]
    return "\n".join([_sums(found), *_lines(worth)])


def _lines(checks: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the lines of all checks; those that were not made for one reason share theirs."""
    together: dict[str, list[str]] = {}
    for check in checks:
        if check["saw"].startswith(UNSEEN):
            together.setdefault(check["saw"], []).append(check["name"])
    made = [line for check in checks if check["saw"] not in together for line in _check_lines(check)]
    for saw, names in together.items():
        made += [f"  note  {len(names)} checks not made", *_wrapped(saw), *_wrapped(", ".join(names))]
    return made


def _sums(found: Mapping[str, Any]) -> str:
    count = {status: sum(check["status"] == status for check in found["checks"]) for status in MARKS}
    verdict = "IN ORDER" if found["passed"] else "NOT IN ORDER"
    return f"Preflight {verdict}: {count['pass']} passed, {count['note']} noted, {count['fail']} failed"


def _check_lines(check: Mapping[str, str]) -> Sequence[str]:
    lines = [f"  {MARKS[check['status']]}  {check['name']}", *_wrapped(check["saw"])]
    if check["status"] == "fail":
        lines += [*_wrapped(f"Why: {check['why']}"), *_wrapped(f"To do: {check['todo']}")]
    elif check["status"] == "note":
        lines += _wrapped(f"To do: {check['todo']}")
    return lines


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT, break_long_words=False)
