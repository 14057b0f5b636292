"""Process 1 of the machine: ``python -m kit.remote.first_process ORDER READY``. Papermill, nbconvert, the exit code.

Kaggle runs papermill on ``__notebook__.ipynb`` in ``/kaggle/working``, in its place, and then nbconvert, whether that
failed or not; the exit code is papermill's.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from kit.harness.clock import SYSTEM_CLOCK, process_age_s
from kit.harness.platform import KAGGLE_FOLDER
from kit.launched import BEGAN
from kit.remote.kaggle_environment import kaggle_environment
from kit.remote.linux import die_with_parent, mount
from kit.remote.machine_order import NAMESPACES, MachineOrder

NOTEBOOK = "__notebook__.ipynb"
PAPERMILL = (
    *("papermill", "--kernel", "python3", "--no-progress-bar"),
    *("--stdout-file", "/dev/stdout", "--stderr-file", "/dev/stderr", NOTEBOOK, NOTEBOOK),
)
NBCONVERT = ("nbconvert", "--to", "html", "--output", "__results__", NOTEBOOK)


def main() -> int:
    """Enter the machine, say so through the pipe READY, run the notebook; return papermill's exit code."""
    order = MachineOrder.read(Path(sys.argv[1]))
    ready = int(sys.argv[2])
    die_with_parent()
    shutil.copyfile(order.notebook, order.working / NOTEBOOK)
    converts = importlib.util.find_spec("nbconvert") is not None
    variables = _enter(order)
    os.write(ready, b"1")
    os.close(ready)
    code = _run(PAPERMILL, variables)
    if converts:
        _run(NBCONVERT, variables)
    return code


def _enter(order: MachineOrder) -> dict[str, str]:
    """Go to where the notebook runs, and return its environment variables."""
    stage = Path(order.stage)
    if order.isolation == NAMESPACES:
        root = stage / "root"
        mount("proc", root / "proc", "proc")
        os.chroot(root)
        os.chdir("/kaggle/working")
        return kaggle_environment(Path("/tmp/home"), Path("/tmp"), gpu=order.gpu)
    os.chdir(order.working)
    variables = kaggle_environment(stage / "tmp/home", stage / "tmp", gpu=order.gpu)
    # This machine's process 1 is older than the session: it began with this process.
    began_s = SYSTEM_CLOCK.monotonic() - (process_age_s(os.getpid()) or 0.0)
    return {**variables, KAGGLE_FOLDER: str(order.kaggle), BEGAN: repr(began_s)}


def _run(module_and_arguments: tuple[str, ...], variables: Mapping[str, str]) -> int:
    """Run a module, collecting every orphan that ends meanwhile, as process 1 has to; return its exit code."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", *module_and_arguments],
        stdin=subprocess.DEVNULL,
        env=variables,
        preexec_fn=die_with_parent,
    )
    while True:
        pid, status = os.wait()
        if pid == process.pid:
            code = os.waitstatus_to_exitcode(status)
            process.returncode = code
            return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main())
