"""A Kaggle on loopback: the unmodified ``kaggle`` CLI cannot tell it from the real one. It can be told to misbehave.

::

    with KaggleServer(tmp_path / "kaggle", run=Machine()) as server:
        environ = server.environ(tmp_path / "home")
        subprocess.run(["kaggle", "kernels", "push", "-p", folder], env=environ)
        server.misbehave.throttle(times=2, call="GetKernelSessionStatus", retry_after=1)

``run`` is anything that takes ``(kernel_folder, limit_s, inputs, out)`` and returns how it ended, with the fields of a
rehearsal (status, failure_message, log, working). ``Machine`` is the trivial one. A runner that wants its log seen
while it runs writes it to ``out/<slug>.log``. ``rehearsed`` is the one that really runs what was pushed.

It speaks what was read in the CLI 2.2.4 and its SDK, and behaves as public reports of the service describe. What no
report settles is a setting of ``Policy``, or a switch of ``Misbehaviour``.
"""

from tests.remote.kaggle_server.cli import Cli
from tests.remote.kaggle_server.direct import ask, carry, fetch, push, status
from tests.remote.kaggle_server.folder import dataset_folder, kernel_folder
from tests.remote.kaggle_server.machine import Machine, Plan
from tests.remote.kaggle_server.misbehaviour import WEEKLY_QUOTA
from tests.remote.kaggle_server.policy import Policy
from tests.remote.kaggle_server.rehearsed import rehearsed
from tests.remote.kaggle_server.server import KaggleServer

__all__ = [
    "WEEKLY_QUOTA",
    "Cli",
    "KaggleServer",
    "Machine",
    "Plan",
    "Policy",
    "ask",
    "carry",
    "dataset_folder",
    "fetch",
    "kernel_folder",
    "push",
    "rehearsed",
    "status",
]
