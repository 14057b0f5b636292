"""HTTP: takes requests as an origin server and as a proxy does, finds what answers them, and sends the answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from tests.remote.kaggle_server.answers import Answer, ApiError, json_answer
from tests.remote.kaggle_server.log_stream import events
from tests.remote.kaggle_server.reader import BodyReader
from tests.remote.kaggle_server.session import ENDED

if TYPE_CHECKING:
    from tests.remote.kaggle_server.server import KaggleServer

STREAM = "/api/v1/kernels/logs/stream/"
OWN_HOSTS = ("localhost", "127.0.0.1", None)


class Handler(BaseHTTPRequestHandler):
    """One connection. The class attribute ``kaggle`` is the server it speaks for."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    kaggle: KaggleServer

    def do_POST(self) -> None:
        """Answer a method of the API."""
        self._serve(urlsplit(self.path).path.rpartition("/")[2], self._method)

    def do_GET(self) -> None:
        """Answer a download or the log stream."""
        streaming = urlsplit(self.path).path.startswith(STREAM)
        if streaming:
            self._serve("StreamLog", self._stream)
        else:
            self._serve("DownloadOutput", self._download)

    def do_PUT(self) -> None:
        """Take an upload."""
        self._serve("UploadBlob", self._upload)

    def do_CONNECT(self) -> None:
        """Refuse to lead anywhere else."""
        self._name = ""
        self.kaggle.journal.strays.append(self.path)
        self._send(Answer(b"", 403))
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing to stderr: the journal has it."""

    def _serve(self, name: str, serve: Callable[[SplitResult], None]) -> None:
        url = urlsplit(self.path)
        self._body = BodyReader(self.rfile, self.headers["Content-Length"], self.headers["Transfer-Encoding"])
        self._said: object = None
        self._name = ""
        if url.hostname not in OWN_HOSTS:
            self.kaggle.journal.strays.append(str(url.hostname))
            self._drain_and_send(Answer(b"", 403))
            return
        self._name = name
        try:
            if self._hangs():
                return
            self.kaggle.misbehave.refuse(self._name)
            serve(url)
        except ApiError as error:
            self._drain_and_send(error.answer())

    def _hangs(self) -> bool:
        """Wait for the server's end where this call is to hang; tell whether it was."""
        if not self.kaggle.misbehave.take("hang", self._name):
            return False
        self.kaggle.journal.add(self._name, 0)
        self.kaggle.closing.wait()
        self.close_connection = True
        return True

    def _method(self, url: SplitResult) -> None:
        body = json.loads(self._body.all() or b"{}")
        self._said = body
        if self._name == "IntrospectToken":
            answer: object = self.kaggle.account.introspect(body.get("token"))
        else:
            user = self.kaggle.account.user_of(self.headers["Authorization"])
            method = self.kaggle.methods.get(url.path)
            if method is None:
                raise ApiError(404, f"Unknown method {url.path}")
            answer = method(user, body)
        if self.kaggle.misbehave.take("lose_answer", self._name):
            self.kaggle.journal.add(self._name, 0, body)
            self.close_connection = True
            return
        self._send(json_answer(answer))

    def _download(self, url: SplitResult) -> None:
        got = self.kaggle.storage.download(url.path, url.query, self.headers["Range"] or "")
        self._start(got.code, got.headers)
        left = got.sent_bytes
        for chunk in got.chunks:
            self.wfile.write(chunk[:left])
            left -= len(chunk[:left])
            if left == 0:
                break
        self.close_connection = got.cut

    def _stream(self, url: SplitResult) -> None:
        user = self.kaggle.account.user_of(self.headers["Authorization"])
        ref = url.path.removeprefix(STREAM)
        version = self.kaggle.kernels.kernel(ref if "/" in ref else f"{user}/{ref}").version()
        if version is None:
            raise ApiError(404, "No session")
        if version.status in ENDED:
            self._send(json_answer(version.session.log()))
        else:
            self._send_events(events(version, self.kaggle.misbehave, self.kaggle.closing))

    def _send_events(self, stream: Iterator[bytes]) -> None:
        self._start(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        whole = False
        for event in stream:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
            whole = event.endswith(b"END_OF_LOG\n\n")
        if whole:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def _upload(self, url: SplitResult) -> None:
        token = url.path.rpartition("/")[2]
        self._send(self.kaggle.blobs.put(token, self.headers["Content-Range"] or "", self._body))

    def _drain_and_send(self, answer: Answer) -> None:
        """Send an answer after the rest of the body: a client that is still sending would not read it."""
        for _ in self._body.chunks():
            pass
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        self._start(answer.code, {**answer.headers, "Content-Length": str(len(answer.body))})
        if self._name and self.kaggle.misbehave.take("cut_answer", self._name):
            self.close_connection = True
            self.wfile.write(answer.body[: len(answer.body) // 2])
            return
        self.wfile.write(answer.body)

    def _start(self, code: int, headers: dict[str, str]) -> None:
        """Note the call, and only then begin to answer: who has the answer finds the call noted."""
        if self._name:
            self.kaggle.journal.add(self._name, code, self._said)
        self.send_response(code)
        self.send_header("X-Kaggle-ApiVersion", self.kaggle.policy.api_version)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
