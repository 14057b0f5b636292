"""The kernel's process, ``python -m kit.notebooks.kernel_main -f FILE``: ipykernel, losing no output."""

from __future__ import annotations

import zmq
from ipykernel.kernelapp import IPKernelApp


class PatientKernelApp(IPKernelApp):
    """An IPython kernel that keeps what it prints until it is read.

    zmq drops what exceeds 1,000 waiting messages without a word: of 30,000 flushed prints only half
    arrived, and now and then the message that says the cell is done was among the lost.
    """

    def init_iopub(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """Open the output channel, its queue without limit."""
        context.setsockopt(zmq.SNDHWM, 0)
        super().init_iopub(context)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    PatientKernelApp.launch_instance()
