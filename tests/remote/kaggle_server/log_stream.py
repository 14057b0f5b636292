"""The live log: server-sent events while a session goes on, the whole log as JSON once it has ended."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

from tests.remote.kaggle_server.kernel import Version
from tests.remote.kaggle_server.misbehaviour import Misbehaviour
from tests.remote.kaggle_server.session import ENDED

_LOOK_EVERY_S = 0.02
END = b"data: END_OF_LOG\n\n"


def events(version: Version, misbehave: Misbehaviour, closing: threading.Event) -> Iterator[bytes]:
    """Yield the records of a session from its first on, as they come, and then the sentinel.

    Where the log is cut, the iterator just ends: the caller then breaks the connection without the sentinel.
    """
    cut = misbehave.take("cut_log")
    most = int(str(cut.how["after"])) if cut else None
    sent = 0
    while not closing.is_set():
        ended = version.status in ENDED
        for record in version.session.log()[sent:]:
            if sent == most:
                return
            yield f"data: {json.dumps(record)}\n\n".encode()
            sent += 1
        if sent == most:
            return
        if ended:
            yield END
            return
        closing.wait(_LOOK_EVERY_S)
