"""HTTP for what the client cannot do: lists of output with their addresses, and files that go straight to disk.

The client holds each file in memory, saves a server's error as if it were the file, and knows no second attempt; so
what is large comes by itself. The standard library is enough; proxies are those of the client's environment.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import IO, Any

from kit.errors import CredentialsError, RemoteError, UsageError
from kit.remote.backoff import PassingError
from kit.remote.credentials import Credentials
from kit.remote.replies import AbsentError
from kit.remote.scrub import Scrubber

SERVERS = {
    "PROD": "https://api.kaggle.com",
    "LOCALHOST": "http://localhost/api",
    "TEST": "http://localhost:7777/api",
}
"""Where the client's own KAGGLE_API_ENVIRONMENT sends it."""
TIMEOUT_S = 60.0
MOST_ANSWER = 512 * 2**20
BROKEN = (http.client.HTTPException, urllib.error.URLError, ConnectionError, TimeoutError, EOFError)
"""What a connection that breaks raises."""


class Http:
    """POST of one method of Kaggle's, and GET of an address it gave."""

    def __init__(self, environ: Mapping[str, str], credentials: Credentials, scrub: Scrubber) -> None:
        self._environ, self._credentials, self._scrub = environ, credentials, scrub
        # Where an answer sends elsewhere, the credentials must not go there too.
        self._api = urllib.request.build_opener(urllib.request.ProxyHandler({}), _StayHere())
        self._files = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def post(self, method: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Call ``Service/Method`` and return its answer.

        Raises:
            CredentialsError: Kaggle knows nobody by the credentials.
            AbsentError: there is no such thing, or not for them.
            PassingError: it may succeed in a moment.
            RemoteError: it was refused, or the answer is none.
        """
        headers = {
            "Content-Type": "application/json",
            "Authorization": self._credentials.authorization(),
            "User-Agent": "training-kit",
        }
        data = json.dumps(body).encode()
        request = urllib.request.Request(f"{self._server()}/v1/{method}", data, headers, method="POST")
        try:
            with self._api.open(self._by_proxy(request), timeout=TIMEOUT_S) as answer:
                text = answer.read(MOST_ANSWER)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error, method) from None
        except BROKEN as error:
            raise PassingError(f"Kaggle cannot be reached ({self._words(error)}).", sure=False) from None
        return self._object(text, method)

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> http.client.HTTPResponse:
        """Open an address that Kaggle gave, without credentials; the caller reads and closes it.

        Raises:
            urllib.error.HTTPError: the server refused.
            PassingError: it cannot be reached.
            RemoteError: it is no address of the web.
        """
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise RemoteError(f"Kaggle gave an address that is none of the web: {self._scrub(url)}")
        request = urllib.request.Request(url, headers=dict(headers or {}))
        try:
            opened: http.client.HTTPResponse = self._files.open(self._by_proxy(request), timeout=TIMEOUT_S)
        except urllib.error.HTTPError:
            raise
        except BROKEN as error:
            raise PassingError(f"The file cannot be reached ({self._words(error)}).") from None
        return opened

    def _server(self) -> str:
        name = self._environ.get("KAGGLE_API_ENVIRONMENT") or "PROD"
        if name not in SERVERS:
            raise UsageError(f"KAGGLE_API_ENVIRONMENT is {name!r}. Legal: {', '.join(SERVERS)}.")
        return SERVERS[name]

    def _by_proxy(self, request: urllib.request.Request) -> urllib.request.Request:
        """Send the request by the proxy that the client would take."""
        environ = self._environ
        scheme, host = request.type, request.host
        proxy = environ.get(f"{scheme}_proxy") or environ.get(f"{scheme.upper()}_PROXY") or ""
        past = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
        if not proxy or urllib.request.proxy_bypass_environment(host, {"no": past}):  # type: ignore[attr-defined]
            return request
        parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if parts.username:
            pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
            request.add_header("Proxy-authorization", "Basic " + base64.b64encode(pair.encode()).decode())
        request.set_proxy(parts.netloc.rpartition("@")[2], parts.scheme)
        return request

    def _refusal(self, error: urllib.error.HTTPError, method: str) -> RemoteError:
        return self._error(error.code, _message(error.fp), retry_after(error.headers), method)

    def _object(self, text: bytes, method: str) -> dict[str, Any]:
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            raise PassingError(f"{method}: Kaggle's answer is no JSON.", sure=False) from None
        if not isinstance(answer, dict):
            raise RemoteError(f"{method}: Kaggle's answer is none: {self._scrub(str(answer)[:200])}")
        code = answer.get("code")
        if isinstance(code, int) and code >= 400:  # an error may come with status 200
            raise self._error(code, str(answer.get("message", "")), None, method)
        return answer

    def _error(self, code: int, message: str, after_s: float | None, method: str) -> RemoteError:
        said = f"{code} {self._scrub(message)}".strip()
        if code == 401:
            return CredentialsError(self._credentials.refused())
        if code in (403, 404):
            return AbsentError(f"Kaggle has no such thing, or not for these credentials ({said}).")
        if code == 429 or code >= 500:
            return PassingError(f"Kaggle asks for patience ({said}).", after_s=after_s)
        return RemoteError(f"{method.rpartition('/')[2]}: Kaggle refused ({said}).")

    def _words(self, error: BaseException) -> str:
        return self._scrub(str(getattr(error, "reason", "") or error) or type(error).__name__)


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def retry_after(headers: Any) -> float | None:
    """Return the seconds of a Retry-After header, which may be a date; None where there is none."""
    text = str(headers.get("Retry-After", "") if headers is not None else "").strip()
    if re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", text):
        return float(text)
    try:
        # Counted from the server's own clock, whatever this machine's says.
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(str(headers.get("Date", "")))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError, AttributeError):
        return None


def _message(file: IO[bytes] | None) -> str:
    try:
        text = file.read(10_000) if file is not None else b""
    except (OSError, http.client.HTTPException):
        return ""
    try:
        return str(json.loads(text).get("message", ""))[:300]
    except (ValueError, AttributeError):
        return ""
