"""What the client's words mean: it says most failures with exit code 0, and each in words of its own.

Written against version 2.2.4, whose every ``print`` for these calls was read; 2.2.5 says the same.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import Literal

from kit.errors import CredentialsError, KitError, QuotaError, RemoteBusyError, RemoteError
from kit.remote.backoff import PassingError
from kit.remote.credentials import Credentials
from kit.remote.kaggle_process import CliReply

State = Literal[
    "QUEUED", "RUNNING", "COMPLETE", "ERROR", "CANCEL_REQUESTED", "CANCEL_ACKNOWLEDGED", "NEW_SCRIPT"
]
STATES: tuple[State, ...] = State.__args__  # type: ignore[attr-defined]
UNDER_WAY = frozenset({"QUEUED", "RUNNING", "CANCEL_REQUESTED"})
_STATUS = re.compile(r'has status "(?:KernelWorkerStatus\.)?([A-Za-z_]+)"')
_MESSAGE = re.compile(r'^Failure message: "(.*)"$', re.MULTILINE | re.DOTALL)
_PUSHED = re.compile(r"Kernel version (?:(\d+) )?successfully pushed\.\s+Please check progress at (\S+)")
_REFUSED = re.compile(r"^Kernel push error: (.*)", re.MULTILINE | re.DOTALL)
_NOT_ADDED = re.compile(r"The following are not valid (dataset|kernel|competition) sources.*?: (\[.*\])")
_CODE = r"\b(?:HTTP )?(?:{0}) (?:Client|Server) Error|\bHTTP[ /]?(?:{0})\b"
"""A status as the client's library writes it: a number that stands anywhere else is part of a name."""
_TOO_MANY = re.compile(rf"{_CODE.format('429')}|too many requests|rate.?limit", re.IGNORECASE)
_SERVER = re.compile(
    rf"{_CODE.format('50[0234]')}|too many 50[0234] error|internal (server )?error|bad gateway|service unavailable"
    r"|temporarily|try again|timed? ?out|connection (aborted|reset|refused|error|broken)|max retries exceeded"
    r"|remotedisconnected|remote end closed|incompleteread|name resolution|proxyerror|failed to establish",
    re.IGNORECASE,
)
_NOBODY = re.compile(
    rf"{_CODE.format('401')}|unauthori[sz]ed|authentication required|unauthenticated", re.IGNORECASE
)
_ABSENT = re.compile(
    rf"{_CODE.format('403|404')}|permission .* was denied|(?<!file )not found|cannot access kernel",
    re.IGNORECASE,
)
_NO_QUOTA = re.compile(r"quota|weekly .*limit", re.IGNORECASE)
_NAMES = re.compile(r"\"[^\"]*\"|'[\w.\-]+'|[\w.\-]+(?:/[\w.\-]+)+")
"""Titles, slugs and addresses: words in them say nothing of what went wrong."""
_ALL_BUSY = re.compile(r"session count|maximum batch|concurrent|already running", re.IGNORECASE)


@dataclass(frozen=True)
class Pushed:
    """A push that was taken: the version's number (None where it was not said) and its page.

    ``answered`` is false where the answer was lost, and with it what Kaggle said of the sources.
    """

    version: int | None
    url: str
    answered: bool = True


@dataclass(frozen=True)
class KernelStatus:
    """How the newest version stands; ``message`` is why it failed, often empty."""

    state: State
    message: str = ""

    @property
    def under_way(self) -> bool:
        """Whether it still runs, or will."""
        return self.state in UNDER_WAY


@dataclass(frozen=True)
class GpuQuota:
    """The account's GPU hours of this week: used, granted, and when they begin anew (ISO 8601, empty where unsaid)."""

    used_h: float
    total_h: float
    refresh_at: str = ""

    @property
    def left_h(self) -> float:
        """Hours that are left."""
        return max(0.0, self.total_h - self.used_h)


class AbsentError(RemoteError):
    """There is no such kernel or dataset, or these credentials may not see it: Kaggle does not tell which."""


class SourcesError(RemoteError):
    """A push was taken, and runs, without some of the sources that it names.

    ``pushed`` is that push, ``names`` are the sources.
    """

    def __init__(self, pushed: Pushed, missing: list[str]) -> None:
        super().__init__(
            f"The push was taken ({pushed.url}), but without {', '.join(missing)}: Kaggle knows no such thing. What "
            "it should continue from is not attached; stop it on its page."
        )
        self.pushed, self.missing = pushed, missing
        self.names = [name for line in missing for name in re.findall(r"[\w.\-]+/[\w.\-]+", line)]


def failure(reply: CliReply, credentials: Credentials, what: str, *, asks: bool = False) -> KitError:
    """Return the error that a call which failed (its exit code is not 0) told in its own words.

    The client prints a server's message without its code, so words that are not known may be those of a passing
    failure; of a call that only ``asks`` they are taken for such, since asking again does no harm.
    """
    line = reply.last_line
    words = _without_names(line)
    if _NOBODY.search(_without_names(f"{reply.out}\n{reply.err}")):
        return CredentialsError(credentials.refused())
    if _TOO_MANY.search(words):
        return PassingError(f"Kaggle was asked too often ({line}).")
    if _SERVER.search(words):
        return PassingError(f"Kaggle cannot be reached, or has an error of its own ({line}).", sure=False)
    if _ABSENT.search(words):
        brief = line.partition(". ")[0].rstrip(".")  # the client goes on at length
        return AbsentError(f"{what}: Kaggle has no such thing, or not for these credentials ({brief}).")
    if asks:
        return PassingError(f"{what}: Kaggle does not answer ({line}).")
    return RemoteError(f"{what}: Kaggle refused ({line}).")


def _without_names(said: str) -> str:
    return _NAMES.sub("…", said)


def read_push(reply: CliReply) -> Pushed:
    """Return what was pushed.

    Raises:
        QuotaError: the quota is used up; nothing runs.
        PassingError: it was refused for a moment; or there is no telling.
        SourcesError: it runs, without a source that it needs.
        RemoteBusyError: as many sessions run as the account may have; nothing was pushed.
        RemoteError: it was refused.
    """
    refused = _REFUSED.search(reply.out)
    if refused:
        why = " ".join(refused[1].split())
        words = _without_names(why)
        if _TOO_MANY.search(words):
            raise PassingError(f"Kaggle was asked too often ({why}).")
        if _NO_QUOTA.search(words):
            raise QuotaError(
                f"Kaggle did not take the push: {why} Nothing runs; `kaggle quota` shows what is left."
            )
        if _ALL_BUSY.search(words):
            raise RemoteBusyError(
                f"Kaggle did not take the push: {why} Nothing was pushed; other sessions must end first."
            )
        raise RemoteError(f"Kaggle did not take the push: {why} Nothing runs.")
    pushed = _PUSHED.search(reply.out)
    if not pushed:
        raise PassingError(f"No telling whether the push was taken ({reply.last_line}).", sure=False)
    taken = Pushed(int(pushed[1]) if pushed[1] else None, pushed[2])
    missing = [f"{kind} {names}" for kind, names in _NOT_ADDED.findall(reply.out) if names != "[]"]
    if missing:
        raise SourcesError(taken, missing)
    return taken


def read_status(reply: CliReply) -> KernelStatus:
    """Return the status of a kernel; raises RemoteError where the words are none of those known."""
    found = _STATUS.search(reply.out)
    word = found[1].upper() if found else ""
    for state in STATES:
        if state == word:
            message = _MESSAGE.search(reply.out)
            return KernelStatus(state, message[1].strip() if message else "")
    raise RemoteError(f"Kaggle gave a status that is not known here: {reply.last_line}")


def read_quota(reply: CliReply) -> GpuQuota | None:
    """Return the GPU quota of ``quota --csv``; None where Kaggle tells nothing of one."""
    for row in csv.DictReader(reply.out.splitlines()):
        if row.get("resource") == "GPU":
            try:
                used, total = (float(str(row[name]).rstrip("h")) for name in ("used", "total"))
            except (KeyError, ValueError):
                return None
            return GpuQuota(used, total, row.get("refreshAt") or row.get("refresh_at") or "")
    return None
