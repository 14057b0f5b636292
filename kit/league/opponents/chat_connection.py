"""ChatConnection: one question to an OpenAI-compatible chat endpoint, asked again while the failure may pass.

The standard library is enough for one POST. What may pass is tried again: too many requests (after as long as the
server asks, if that is not too long), errors of the server, a connection that breaks or takes too long, an answer
that is no JSON. What cannot pass (no such model, a key that is refused) is not. The key is in no message.
"""

from __future__ import annotations

import http.client
import json
import logging
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from kit.errors import GameError
from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.league.opponents.draw import chance
from kit.league.opponents.endpoint_address import EndpointAddress

logger = logging.getLogger(__name__)

MOST_ANSWER = 4 * 2**20
"""Bytes; no move needs more."""
PASSING_CODES = (408, 425, 429)
BROKEN = (http.client.HTTPException, urllib.error.URLError, OSError, EOFError)
"""What a connection that breaks, or stands still for too long, raises."""


def wait(seconds: float) -> None:
    """Let that many seconds pass."""
    threading.Event().wait(seconds)


class PassingError(GameError):
    """A failure that may be over in a moment; ``after_s`` is how long the server asks to wait, if it said so."""

    def __init__(self, message: str, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


@dataclass(frozen=True)
class Patience:
    """How long a question may take.

    Attributes:
        timeout_s: seconds for one attempt, from the connection to the last byte.
        tries: attempts in all.
        first_wait_s: before the second; each further wait is twice as long, and up to a quarter more by chance.
        most_wait_s: no wait is longer; where the server asks for more, the question is given up at once.
        pause: waits that many seconds; tests hand in one that only notes them.
        clock: tells when an attempt has taken too long.
    """

    timeout_s: float = 60.0
    tries: int = 5
    first_wait_s: float = 1.0
    most_wait_s: float = 60.0
    pause: Callable[[float], object] = wait
    clock: Clock = SYSTEM_CLOCK


@dataclass(frozen=True)
class ChatConnection:
    """Where questions go, and with which key; ``model`` is only what errors call it."""

    address: EndpointAddress
    model: str
    key: str = field(default="", repr=False)
    patience: Patience = Patience()

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"{self.model} at {self.address.base_url}"

    def ask(self, body: Mapping[str, Any], seed: int) -> dict[str, Any]:
        """POST ``body`` to ``/chat/completions`` and return the answer; ``seed`` draws how long is waited.

        Raises:
            GameError: it cannot be reached, refuses, or answers nonsense, also after the last attempt.
        """
        patience = self.patience
        for attempt in range(1, patience.tries + 1):
            try:
                return self._asked(json.dumps(body).encode())
            except PassingError as failure:
                seconds = self._wait_s(attempt, failure, seed)
                if attempt == patience.tries:
                    raise GameError(f"{failure} Tried {patience.tries} times.") from failure
                if seconds > patience.most_wait_s:
                    raise GameError(
                        f"{failure} It asks to wait {seconds:.0f} s; at most {patience.most_wait_s:.0f} s is waited."
                    ) from failure
                logger.warning("%s Trying again in %.1f s.", failure, seconds)
                patience.pause(seconds)
        raise GameError(f"{self.name}: no attempt was allowed.")

    def _wait_s(self, attempt: int, failure: PassingError, seed: int) -> float:
        if failure.after_s is not None:
            return failure.after_s
        grown = (
            self.patience.first_wait_s * 2.0 ** (attempt - 1) * (1.0 + chance(seed, f"wait {attempt}") / 4)
        )
        return min(grown, self.patience.most_wait_s)

    def _asked(self, data: bytes) -> dict[str, Any]:
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": "training-kit",
        }
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(
            f"{self.address.base_url}/chat/completions", data, headers, method="POST"
        )
        until = self.patience.clock.monotonic() + self.patience.timeout_s
        try:
            with self._opener().open(request, timeout=self.patience.timeout_s) as answer:
                text = self._read(answer, until)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error.code, _message(error), retry_after(error.headers)) from None
        except TimeoutError:
            raise PassingError(f"{self.name}: no answer in {self.patience.timeout_s:g} s.") from None
        except BROKEN as error:
            raise self._out_of_reach(error) from None
        return self._object(text)

    def _opener(self) -> urllib.request.OpenerDirector:
        """Return what opens: it follows no redirect, which would take the key elsewhere."""
        proxies = [urllib.request.ProxyHandler({})] if self.address.is_here else []
        return urllib.request.build_opener(_StayHere(), *proxies)

    def _read(self, answer: http.client.HTTPResponse, until: float) -> bytes:
        """Read to the end; the socket's own timeout begins anew with every byte, ``until`` does not."""
        parts, size = [], 0
        while part := answer.read1(65_536):
            parts.append(part)
            size += len(part)
            if size > MOST_ANSWER:
                raise GameError(f"{self.name}: its answer is longer than {MOST_ANSWER} bytes.")
            if self.patience.clock.monotonic() > until:
                raise TimeoutError
        return b"".join(parts)

    def _object(self, text: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            shown = self._scrubbed(text[:80].decode(errors="replace"))
            raise PassingError(f"{self.name}: its answer is no JSON: {shown!r}.") from None
        if not isinstance(answer, dict):
            raise GameError(
                f"{self.name}: its answer is no object, but {self._scrubbed(str(answer)[:80])!r}."
            )
        error = answer.get("error")
        if error:  # some answer so with status 200
            code, message = (
                (error.get("code"), error.get("message")) if isinstance(error, dict) else (None, error)
            )
            raise self._refusal(code if isinstance(code, int) else 400, str(message or ""), None)
        return answer

    def _refusal(self, code: int, message: str, after_s: float | None) -> GameError:
        said = f"{code} {self._scrubbed(message)}".strip()
        if code in PASSING_CODES or code >= 500:
            return PassingError(f"{self.name} asks for patience ({said}).", after_s)
        if code in (401, 403):
            known = (
                "a key that it refuses"
                if self.key
                else f"no key; it is read from {self.address.key_variable}"
            )
            return GameError(f"{self.name} was asked with {known} ({said}).")
        return GameError(f"{self.name} refused ({said}).")

    def _out_of_reach(self, error: BaseException) -> PassingError:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, TimeoutError):
            return PassingError(f"{self.name}: no answer in {self.patience.timeout_s:g} s.")
        words = self._scrubbed(str(reason) or type(reason).__name__)
        return PassingError(f"{self.name} cannot be reached ({words}).")

    def _scrubbed(self, text: str) -> str:
        """Return the text without the key: a server may say it back."""
        return text.replace(self.key, "***") if self.key else text


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def retry_after(headers: Any) -> float | None:
    """Return the seconds of a Retry-After header, which may be a date; None where there is none.

    A date is held against the server's own clock.
    """
    text = str(headers.get("Retry-After", "") if headers is not None else "").strip()
    if re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", text):
        return float(text)
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(str(headers.get("Date", "")))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError, AttributeError):
        return None


def _message(error: urllib.error.HTTPError) -> str:
    """Return what the server says about its refusal, shortened; it says so in one of several ways, or not at all."""
    try:
        told = json.loads(error.read(10_000))
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return str(error.reason or "")
    inner = told.get("error", told) if isinstance(told, dict) else told
    message = inner.get("message", "") if isinstance(inner, dict) else inner
    return str(message)[:300]
