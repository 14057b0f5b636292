"""A check: what it looks at, why that matters, what to do; and the finding it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Generic, NamedTuple, TypeVar

PASS, NOTE, FAIL = "pass", "note", "fail"
NOTHING_TO_DO = "nothing"

Subject = TypeVar("Subject")


class Verdict(NamedTuple):
    """What a check saw, and what it makes of that: ``pass``, ``note`` or ``fail``."""

    status: str
    saw: str


def passes(saw: str) -> Verdict:
    """In order."""
    return Verdict(PASS, saw)


def notes(saw: str) -> Verdict:
    """Worth knowing, or too little was seen to tell; it stops nothing."""
    return Verdict(NOTE, saw)


def fails(saw: str) -> Verdict:
    """A long run would be wasted."""
    return Verdict(FAIL, saw)


@dataclass(frozen=True)
class Finding:
    """One check's answer, as ``preflight --json`` gives it."""

    name: str
    status: str
    saw: str
    why: str
    todo: str

    def as_row(self) -> dict[str, str]:
        """Return ``{name, status, saw, why, todo}``."""
        return asdict(self)


@dataclass(frozen=True)
class Check(Generic[Subject]):
    """One check of a subject: the place of a run, a trace of an environment, a finished quick test.

    Attributes:
        name: how it is called; stable, since people look for it.
        why: what it has cost somebody, or would.
        todo: what to do where it does not pass.
        look: looks at the subject and says what it saw.
    """

    name: str
    why: str
    todo: str
    look: Callable[[Subject], Verdict]

    def of(self, subject: Subject) -> Finding:
        """Look at ``subject``."""
        return self.finding(self.look(subject))

    def finding(self, verdict: Verdict) -> Finding:
        """Return the finding that goes with a verdict."""
        todo = NOTHING_TO_DO if verdict.status == PASS else self.todo
        return Finding(self.name, verdict.status, verdict.saw, self.why, todo)


def passed(findings: Iterable[Finding]) -> bool:
    """Whether none failed; notes stop nothing."""
    return all(finding.status != FAIL for finding in findings)


def as_json(findings: Iterable[Finding]) -> dict[str, Any]:
    """Return ``{passed, checks}``: the object of ``preflight --json``."""
    found = list(findings)
    return {"passed": passed(found), "checks": [finding.as_row() for finding in found]}
