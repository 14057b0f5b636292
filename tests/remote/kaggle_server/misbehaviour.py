"""The switches: what the server does wrong, how often, and to which calls.

Each switch is set for ``times`` occasions (None: for good) and used up by them. ``call`` narrows it to calls whose
name contains it: the methods of the API (``SaveKernel``, ``GetKernelSessionStatus``, ``ListKernelSessionOutput``,
``IntrospectToken`` …), and ``DownloadOutput``, ``StreamLog`` and ``UploadBlob`` for what is not a method. ``name``
does the same for file names.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.remote.kaggle_server.answers import ApiError, BalancerError, StorageError

WEEKLY_QUOTA = "Maximum weekly GPU quota of 30.00 hours reached."
_STORAGE_CALLS = ("DownloadOutput", "UploadBlob")


@dataclass
class Switch:
    """One misbehaviour, how often it still happens, and to what."""

    kind: str
    left: int | None
    where: str = ""
    how: dict[str, object] = field(default_factory=dict)

    def matches(self, kind: str, subject: str) -> bool:
        """Tell whether it happens to this call or file now."""
        return self.kind == kind and self.left != 0 and self.where in subject

    def use(self) -> None:
        """Count one occasion."""
        if self.left is not None:
            self.left -= 1


class Misbehaviour:
    """All switches of one server. Setting one is safe while the server runs."""

    def __init__(self) -> None:
        self._switches: list[Switch] = []
        self._lock = threading.Lock()
        self.extra_files: dict[str, bytes] = {}

    def refuse_push(self, times: int | None = 1, error: str = WEEKLY_QUOTA) -> None:
        """Refuse a push in the answer's ``error`` field, which the CLI prints with exit code 0."""
        self._set("refuse_push", times, error=error)

    def throttle(self, times: int | None = 1, call: str = "", retry_after: str | float | None = None) -> None:
        """Answer 429, with ``Retry-After`` (seconds, or an HTTP date) where one is given."""
        self._set("status", times, call, code=429, message="Too many requests", retry_after=retry_after)

    def fail(
        self, times: int | None = 1, call: str = "", code: int = 503, message: str = "Try again"
    ) -> None:
        """Answer with an error and do nothing."""
        self._set("status", times, call, code=code, message=message, retry_after=None)

    def lose_answer(self, times: int | None = 1, call: str = "SaveKernel") -> None:
        """Do what a method was asked, and break the connection instead of answering."""
        self._set("lose_answer", times, call)

    def fail_before(self, times: int | None = 1, call: str = "", code: int = 502) -> None:
        """Let the load balancer answer, which does it in HTML, and do nothing."""
        self._set("html", times, call, code=code)

    def cut_answer(self, times: int | None = 1, call: str = "") -> None:
        """Do what was asked, and break the connection half-way through the answer."""
        self._set("cut_answer", times, call)

    def hang(self, times: int | None = 1, call: str = "") -> None:
        """Take the call and answer nothing until the server closes."""
        self._set("hang", times, call)

    def deny_new(self, times: int | None = 1) -> None:
        """Deny that a kernel exists (403) to the first calls for its status or source, as after a first push."""
        self._set("deny_new", times)

    def report_late(self, times: int | None = 1) -> None:
        """Give the status that was true before for so many answers after it has changed."""
        self._set("report_late", times)

    def list_nothing(self, times: int | None = 1) -> None:
        """List no output of a session that has some."""
        self._set("list_nothing", times)

    def repeat_page(self, times: int | None = 1) -> None:
        """Let the next page of the output be this one again."""
        self._set("repeat_page", times)

    def cut_download(self, times: int | None = 1, name: str = "", at: float = 0.5) -> None:
        """Break the connection after the fraction ``at`` of a file's bytes."""
        self._set("cut_download", times, name, at=at)

    def expire_url(self, times: int | None = 1, name: str = "") -> None:
        """Answer that a file's URL has expired: 400, with an XML body."""
        self._set("expire_url", times, name)

    def corrupt(self, times: int | None = 1, name: str = "", at: float = 0.5) -> None:
        """Flip one bit of the byte at the fraction ``at`` of a file; size and headers stay right."""
        self._set("corrupt", times, name, at=at)

    def cut_log(self, times: int | None = 1, after: int = 1) -> None:
        """Break the log stream after so many events."""
        self._set("cut_log", times, after=after)

    def break_upload(self, times: int | None = 1, name: str = "", at: float = 0.5) -> None:
        """Keep the fraction ``at`` of an upload's bytes and answer 503, so that it has to be resumed."""
        self._set("break_upload", times, name, at=at)

    def process_slowly(self, answers: int = 1) -> None:
        """Let the next dataset version be ready only after so many answers that it is not."""
        self._set("process_slowly", 1, answers=answers)

    def add_files(self, files: Mapping[str, bytes] | int) -> None:
        """List and serve these files too, with every session's output; a number makes that many small ones."""
        if isinstance(files, int):
            files = {f"many/{number:05d}.txt": f"{number}\n".encode() for number in range(files)}
        self.extra_files = {**self.extra_files, **files}

    def take(self, kind: str, subject: str = "") -> Switch | None:
        """Return the first switch of that kind that is set for the subject, and count the occasion."""
        with self._lock:
            found = next((switch for switch in self._switches if switch.matches(kind, subject)), None)
            if found is not None:
                found.use()
            return found

    def refuse(self, call: str) -> None:
        """Raise what a set switch answers this call with, if one is set."""
        early = self.take("html", call)
        if early is not None:
            raise BalancerError(int(str(early.how["code"])), "Server Error")
        switch = self.take("status", call)
        if switch is None:
            return
        wait = switch.how["retry_after"]
        headers = {} if wait is None else {"Retry-After": str(wait)}
        code, message = int(str(switch.how["code"])), str(switch.how["message"])
        if call in _STORAGE_CALLS:
            raise StorageError(code, "ServiceUnavailable", message, headers)
        raise ApiError(code, message, headers)

    def left(self) -> list[str]:
        """Return the kinds of switches that were set for a number of occasions and not used up."""
        with self._lock:
            return [switch.kind for switch in self._switches if switch.left]

    def clear(self) -> None:
        """Behave again."""
        with self._lock:
            self._switches.clear()
        self.extra_files = {}

    def _set(self, kind: str, times: int | None, where: str = "", **how: object) -> None:
        with self._lock:
            self._switches.append(Switch(kind, times, where, how))
