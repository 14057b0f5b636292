"""A chat endpoint on loopback, over real sockets, that answers as it is told to and notes what it was asked."""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


def completion(content: object, **more: object) -> dict[str, Any]:
    """Return what such an endpoint answers."""
    return {
        "choices": [{"message": {"role": "assistant", "content": content, **more}, "finish_reason": "stop"}]
    }


@dataclass
class Reply:
    """One answer; ``hang`` holds it back until the server ends, ``cut`` breaks off after so many bytes."""

    body: object = ""
    code: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    cut: int | None = None

    @property
    def data(self) -> bytes:
        """What is sent."""
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclass
class Asked:
    """What the server was asked."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class ChatServer:
    """Gives each of ``replies`` once and the last one for ever."""

    def __init__(self, *replies: Reply) -> None:
        self.replies, self.asked = list(replies), list[Asked]()
        self._ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> "ChatServer":
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        chat = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = json.loads(self.rfile.read(length))
                chat.asked.append(Asked(self.path, dict(self.headers), body))
                reply = chat.replies.pop(0) if len(chat.replies) > 1 else chat.replies[0]
                if reply.hang:
                    chat._ended.wait()
                    return
                self.send_response_only(reply.code)
                for name, value in {"Content-Length": str(len(reply.data)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.data[: reply.cut])
                self.close_connection = True

            def do_GET(self) -> None:
                chat.asked.append(Asked(self.path, dict(self.headers), {}))
                self.send_error(418)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
