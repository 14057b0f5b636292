"""A process that takes a run over, to be killed: ``python -m tests.crash.taker INPUTS RUN_FOLDER``."""

import os
import sys
from pathlib import Path

from kit.harness.lock import FileLock
from kit.harness.run_folder import RunFolder
from kit.harness.take_over import take_over
from tests.crash.saver import MARK
from tests.harness.test_take_over import ASKED


def main() -> None:
    """Take over as a session does: the folder made ready, its lock held."""
    folder = RunFolder(Path(sys.argv[2]))
    folder.create()
    FileLock(folder.lock).acquire()
    os.access(MARK, os.F_OK)
    take_over(Path(sys.argv[1]), folder, ASKED)
    os.access(MARK + "-done", os.F_OK)


if __name__ == "__main__":
    main()
