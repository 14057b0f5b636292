"""What a person reads of a preflight: every check in a line; of those that failed, why it matters and what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 100
MARKS = {"pass": "pass", "note": "note", "fail": "FAIL"}
INDENT = "        "


def preflight_text(found: Mapping[str, Any]) -> str:
    """Return all checks, and what to do about those that failed."""
    lines = [line for check in found["checks"] for line in _check_lines(check)]
    return "\n".join([*lines, _sums(found)])


def preflight_brief(found: Mapping[str, Any]) -> str:
    """Return the sums, and the checks that did not pass."""
    worth = [check for check in found["checks"] if check["status"] != "pass"]
    return "\n".join([_sums(found), *(line for check in worth for line in _check_lines(check))])


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
