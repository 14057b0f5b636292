"""The kernel's process, ``python -m kit.notebooks.kernel_main -f FILE``: ipykernel, losing no output."""

from __future__ import annotations

import sys
from pathlib import Path

import zmq
from ipykernel.kernelapp import IPKernelApp

LAST_WORD_S = 2.0


class PatientKernelApp(IPKernelApp):
    """An IPython kernel that keeps what it prints until it is read.

    zmq drops what exceeds 1,000 waiting messages without a word: of 30,000 flushed prints only half
    arrived, and now and then the message that says the cell is done was among the lost.
    """

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

    def start(self) -> None:
        """Serve until the shutdown, then let the control thread finish answering it.

        Exit handlers take its output channel away; a control thread that is not through by then, on a busy
        machine one in fifty, waits for a channel that nobody reads until a signal ends the process.
        """
        super().start()  # type: ignore[no-untyped-call]
        if self.control_thread is not None:
            self.control_thread.join(timeout=LAST_WORD_S)


if __name__ == "__main__":
    PatientKernelApp.launch_instance()
