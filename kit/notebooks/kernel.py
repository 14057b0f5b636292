"""The kernel: this very interpreter, whatever kernels the machine has registered under its name."""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import Popen
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync

LONGEST_SOCKET_NAME = 100  # a Unix socket's path holds 107 bytes; jupyter appends "-ipc-5"
SHUTDOWN_WAIT_S = 20.0  # exit handlers get half of it before SIGTERM; jupyter's own 5 s are short


class PinnedKernelManager(AsyncKernelManager):
    """Starts ``sys.executable`` and drops none of its output, however fast it prints."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """The interpreter that runs this; the registered ``python3`` may belong to another environment."""
        return KernelSpec(
            argv=[sys.executable, "-P", "-m", "kit.notebooks.kernel_main", "-f", "{connection_file}"],
            display_name="Python 3",
            language="python",
        )

    def client(self, **kwargs: Any) -> Any:
        """Return a client whose queue has no limit either (see ``kernel_main``)."""
        context = zmq.asyncio.Context()
        context.setsockopt(zmq.RCVHWM, 0)
        return super().client(context=context, **kwargs)


class Kernel:
    """A running kernel process. Starting returns at once; papermill's client waits until it answers."""

    def __init__(self, work: Path) -> None:
        """Start it with its connection in ``work``, a private folder.

        Unix sockets, where the path is short enough: TCP ports are chosen before they are bound, so that two
        kernels starting at once can pick the same ones.
        """
        connection = work / "kernel.json"
        transport = "ipc" if len(str(connection.resolve())) < LONGEST_SOCKET_NAME else "tcp"
        self.manager = PinnedKernelManager(
            connection_file=str(connection), transport=transport, shutdown_wait_time=SHUTDOWN_WAIT_S
        )
        run_sync(self.manager.start_kernel)(extra_arguments=["--HistoryManager.hist_file=:memory:"])
        self.process: Popen[bytes] = self.manager.provisioner.process  # type: ignore[union-attr]

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self.process.poll()

    def shut_down(self) -> None:
        """Ask it to leave and wait; without jupyter's SIGINT first, which also reaches its children."""
        if self.exit_code is None and self.manager.has_kernel:
            run_sync(self.manager.request_shutdown)()
            run_sync(self.manager.finish_shutdown)()
        run_sync(self.manager.cleanup_resources)()
