"""The kernel's process, ``python -m kit.notebooks.kernel_main -f FILE``: ipykernel, losing no output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import zmq
from ipykernel.iostream import OutStream
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from traitlets import Type

LAST_FLUSH_S = 0.5


class PromptKernel(IPythonKernel):
    """An IPython kernel that leaves when it is asked to.

    After the request its control thread flushes stdout once more. Where the main thread has closed the output
    channel by then, which on a busy machine happens once in a hundred runs, nobody answers and it waits 10 s.
    """

    def do_shutdown(self, restart: bool) -> Any:
        """Shorten that last flush: every cell has been answered, and what it printed is on its way."""
        OutStream.flush_timeout = LAST_FLUSH_S
        return super().do_shutdown(restart)


class PatientKernelApp(IPKernelApp):
    """An IPython kernel that keeps what it prints until it is read.

    zmq drops what exceeds 1,000 waiting messages without a word: of 30,000 flushed prints only half
    arrived, and now and then the message that says the cell is done was among the lost.
    """

    kernel_class = Type(PromptKernel, klass=IPythonKernel)

    def init_iopub(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """Open the output channel, its queue without limit."""
        context.setsockopt(zmq.SNDHWM, 0)
        super().init_iopub(context)  # type: ignore[no-untyped-call]

    def init_path(self) -> None:
        """Let cells import from the working folder, after the standard library, as in any notebook.

        The process starts with ``-P``, which keeps a ``json.py`` lying there out of its own start; IPython
        takes that for a wish about the cells as well.
        """
        names = [Path(entry).name for entry in sys.path]
        found = [names.index(name) for name in ("site-packages", "dist-packages") if name in names]
        sys.path.insert(min(found, default=len(names)), "")


if __name__ == "__main__":
    PatientKernelApp.launch_instance()
