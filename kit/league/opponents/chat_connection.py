"""ChatConnection: one question to an OpenAI-compatible chat endpoint, asked again while the failure may pass.

The standard library is enough for one POST. What may pass is tried again: too many requests (after as long as the
server asks, if that is not too long), errors of the server, a connection that breaks or takes too long, an answer
that is no JSON. What cannot pass (no such model, a key that is refused) is not. The key is in no message.
"""

from __future__ import annotations

import http.client
import json
import logging
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kit.errors import GameError
from kit.league.opponents.endpoint_address import EndpointAddress
from kit.league.opponents.patience import Patience
from kit.league.opponents.server_refusal import retry_after, told_by

logger = logging.getLogger(__name__)

MOST_ANSWER = 4 * 2**20
"""Bytes; no move needs more."""
MOST_SHOWN = 300
PASSING_CODES = (408, 425, 429)
BROKEN = (http.client.HTTPException, urllib.error.URLError, OSError, EOFError)
"""What a connection that breaks, or stands still for too long, raises."""


class PassingError(GameError):
    """A failure that may be over in a moment; ``after_s`` is how long the server asks to wait, if it said so."""

    def __init__(self, message: str, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


@dataclass(frozen=True)
class ChatConnection:
    """Where questions go, and with which key; ``model`` is only what errors call it."""

    address: EndpointAddress
    model: str
    key: str = field(default="", repr=False)
    patience: Patience = field(default_factory=Patience)

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"{self.model} at {self.address.base_url}"

    def ask(self, body: Mapping[str, Any], seed: int) -> dict[str, Any]:
        """POST ``body`` to ``/chat/completions`` and return the answer; ``seed`` draws how long is waited.

        Raises:
            GameError: it cannot be reached, refuses, or answers nonsense, also after the last attempt.
        """
        attempt = 1
        while True:
            try:
                return self._asked(json.dumps(body).encode())
            except PassingError as failure:
                self._wait_after(attempt, failure, seed)
            attempt += 1

    def _wait_after(self, attempt: int, failure: PassingError, seed: int) -> None:
        """Wait for the next attempt, if there may be one."""
        patience = self.patience
        seconds = patience.wait_s(attempt, seed) if failure.after_s is None else failure.after_s
        if attempt == patience.tries:
            raise GameError(f"{failure} Tried {patience.tries} times.") from failure
        if seconds > patience.most_wait_s:
            asked = f"It asks to wait {seconds:.0f} s; at most {patience.most_wait_s:.0f} s is waited."
            raise GameError(f"{failure} {asked}") from failure
        logger.warning("%s Trying again in %.1f s.", failure, seconds)
        patience.pause(seconds)

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
                raise self._refusal(error.code, told_by(error), retry_after(error.headers)) from None
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
        """Read to the end and leave the key out; a socket's timeout begins anew with every byte, ``until`` does not."""
        parts, size = [], 0
        while part := answer.read1(65_536):
            parts.append(part)
            size += len(part)
            if size > MOST_ANSWER:
                raise GameError(f"{self.name}: its answer is longer than {MOST_ANSWER} bytes.")
            if self.patience.clock.monotonic() > until:
                raise TimeoutError
        text = b"".join(parts)
        return text.replace(self.key.encode(), b"***") if self.key else text

    def _object(self, text: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            shown = self._shown(text.decode(errors="replace"))
            raise PassingError(f"{self.name}: its answer is no JSON: {shown!r}.") from None
        if not isinstance(answer, dict):
            raise GameError(f"{self.name}: its answer is no object: {self._shown(str(answer))!r}.")
        error = answer.get("error")
        if error:  # some answer so with status 200
            told = error if isinstance(error, dict) else {"message": error}
            code = told.get("code")
            raise self._refusal(code if isinstance(code, int) else 400, str(told.get("message", "")), None)
        return answer

    def _refusal(self, code: int, message: str, after_s: float | None) -> GameError:
        said = f"{code} {self._shown(message)}".strip()
        if code in PASSING_CODES or code >= 500:
            return PassingError(f"{self.name} asks for patience ({said}).", after_s)
        if code in (401, 403):
            variable = self.address.key_variable
            known = f"the key in {variable}" if self.key else f"no key; there is none in {variable}"
            return GameError(f"{self.name} was asked with {known} ({said}).")
        return GameError(f"{self.name} refused ({said}).")

    def _out_of_reach(self, error: BaseException) -> PassingError:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, TimeoutError):
            return PassingError(f"{self.name}: no answer in {self.patience.timeout_s:g} s.")
        words = self._shown(str(reason) or type(reason).__name__)
        return PassingError(f"{self.name} cannot be reached ({words}).")

    def _shown(self, text: str) -> str:
        """Return the beginning of a server's words, without the key: it may say it back."""
        return (text.replace(self.key, "***") if self.key else text)[:MOST_SHOWN]


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None
