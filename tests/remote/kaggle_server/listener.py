"""The port: a thread for each connection, and a note of every answer that failed."""

from __future__ import annotations

import socket
import sys
from http.server import ThreadingHTTPServer


class Listener(ThreadingHTTPServer):
    """Listens on loopback. A caller that goes away is no mistake; whatever else a thread raises is one."""

    daemon_threads = True
    mistakes: list[BaseException]

    def server_activate(self) -> None:
        """Begin with no mistakes."""
        self.mistakes = []
        super().server_activate()

    def handle_error(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Note what went wrong instead of printing it."""
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self.mistakes.append(error)
