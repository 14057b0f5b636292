"""The loopback Kaggle: everything put together behind one port."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from kit.harness.clock import SYSTEM_CLOCK, Clock
from tests.remote.kaggle_server.accounts import Account, Credentials
from tests.remote.kaggle_server.blobs import Blobs
from tests.remote.kaggle_server.datasets import Dataset, Datasets
from tests.remote.kaggle_server.handler import Handler
from tests.remote.kaggle_server.journal import Call, Journal
from tests.remote.kaggle_server.kernel import Kernel, Version
from tests.remote.kaggle_server.kernels import Kernels
from tests.remote.kaggle_server.listener import Listener
from tests.remote.kaggle_server.misbehaviour import Misbehaviour
from tests.remote.kaggle_server.output import Output
from tests.remote.kaggle_server.policy import Policy
from tests.remote.kaggle_server.quota import Quota
from tests.remote.kaggle_server.session import Run
from tests.remote.kaggle_server.storage import Storage

_LONGEST_CLOSE_S = 30.0
_LOOK_EVERY_S = 0.01


class KaggleServer:
    """A Kaggle of one account on a port of this machine, from ``with`` to its end.

    ``misbehave`` has the switches, ``journal`` every call, ``quota`` the GPU hours, ``account`` the credentials.

    Args:
        root: Where it keeps what is pushed, uploaded and put out. It is made.
        run: What runs a pushed kernel: ``(kernel_folder, limit_s, inputs, out)`` → how it ended.
        user: The account's name.
        policy: Limits and habits.
        clock: Where expiry and used quota take the time from.
    """

    def __init__(
        self,
        root: Path,
        run: Run,
        user: str = "tester",
        policy: Policy = Policy(),  # noqa: B008 (frozen)
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._handler = type("BoundHandler", (Handler,), {"kaggle": self})
        self._http = Listener(("127.0.0.1", 0), self._handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(_LOOK_EVERY_S,), daemon=True)
        self.policy, self.closing = policy, threading.Event()
        self.account, self.misbehave, self.journal = Account(user), Misbehaviour(), Journal()
        self.quota = Quota(policy.gpu_quota_s)
        self.storage = Storage(self.url, clock, policy.url_lifetime_s, self.misbehave)
        self.blobs = Blobs(root / "uploads", self.url, self.misbehave)
        self.datasets = Datasets(root / "datasets", self.blobs, policy, self.misbehave)
        output = Output(self.storage, policy, self.misbehave)
        self.kernels = Kernels(
            root, run, clock, policy, self.misbehave, output, self.quota, self.datasets.mountable
        )
        self.methods = {
            **{
                f"/api/v1/kernels.KernelsApiService/{name}": one
                for name, one in self.kernels.methods().items()
            },
            **{
                f"/api/v1/datasets.DatasetApiService/{name}": one
                for name, one in self.datasets.methods().items()
            },
            "/api/v1/blobs.BlobApiService/StartBlobUpload": self.blobs.start,
        }

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """The address that uploads and downloads go to."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def user(self) -> str:
        """The account's name."""
        return self.account.user

    def environ(self, home: Path, credentials: Credentials = "token") -> dict[str, str]:
        """Return the environment with which the unmodified CLI reaches this server.

        It is the caller's own, without what concerns Kaggle and proxies; HOME is ``home`` and TMPDIR lies in it. Every
        other host that is asked for ends here too, is refused, and is found in ``journal.strays``.
        """
        return self.account.environ(home, credentials, self.url)

    def kernel(self, slug: str) -> Kernel:
        """Return the kernel of a slug, or of owner/slug."""
        return self.kernels.kernel(slug if "/" in slug else f"{self.user}/{slug}")

    def dataset(self, slug: str) -> Dataset:
        """Return the dataset of a slug, or of owner/slug."""
        return self.datasets.dataset(slug if "/" in slug else f"{self.user}/{slug}")

    def calls(self, name: str = "") -> list[Call]:
        """Return the calls of that name so far."""
        return self.journal.calls(name)

    def hold_queue(self) -> None:
        """Leave what is pushed from now on QUEUED."""
        self.kernels.turn.clear()

    def release_queue(self) -> None:
        """Let everything that is queued run."""
        self.kernels.turn.set()

    def cancel(self, slug: str) -> None:
        """Cancel the newest session of a kernel, as its owner can on the site (there is no command for it)."""
        version = self.kernel(slug).version()
        assert version is not None
        version.session.cancel()

    def wait(self, slug: str, timeout_s: float = 60.0) -> Version:
        """Wait until the newest session of a kernel has ended, and return its version."""
        version = self.kernel(slug).version()
        assert version is not None
        assert version.session.ended.wait(timeout_s), f"{slug} is {version.status} after {timeout_s} s"
        return version

    def until(self, true: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Wait until something is true; AssertionError where it does not become so."""
        tries = int(timeout_s / _LOOK_EVERY_S)
        assert any(true() or self.closing.wait(_LOOK_EVERY_S) for _ in range(tries)), (
            f"not so after {timeout_s} s"
        )

    def __enter__(self) -> KaggleServer:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Answer nobody any more; what runs is waited for, what is queued is dropped.

        Raises:
            AssertionError: A session does not end, or an answer failed for a mistake of the server's.
        """
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        sessions = self.kernels.sessions
        for session in sessions:
            if session.status == "QUEUED":
                session.cancel()
        left = [session.order.ref for session in sessions if not session.join(_LONGEST_CLOSE_S)]
        assert error or not left, f"still running: {left}"
        assert error or not self._http.mistakes, self._http.mistakes
