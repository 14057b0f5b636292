"""``python -m kit.report RUN_DIR [--figures-only | --serve]``: draw in a process of its own.

The process takes the lowest priority and one thread, so that it costs the training as little as it can. Its
exit code is 0, or that of the error (see kit.errors), whose sentence goes to stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

LOWEST_PRIORITY = 19


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the figures of a run folder and, unless told otherwise, write its report; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m kit.report", description="Figures and report of a run folder."
    )
    parser.add_argument("run_dir", type=Path, help="the run folder")
    parser.add_argument("--figures-only", action="store_true", help="draw figures/*.png, leave report.html")
    parser.add_argument("--serve", action="store_true", help="stay, and answer requests on standard input")
    parser.add_argument(
        "--tensorboard", action="store_true", help="with --serve: also keep a TensorBoard log"
    )
    parser.add_argument(
        "--parent",
        type=int,
        default=0,
        help="with --serve: the process that asks; draw nothing after its end",
    )
    chosen = parser.parse_args(arguments)

    from kit.errors import KitError, UsageError
    from kit.report import draw_all, write_report

    try:
        if not chosen.run_dir.is_dir():
            raise UsageError(f"There is no run folder {str(chosen.run_dir)!r}.")
        if chosen.serve:
            from kit.report.server import serve

            requests = sys.stdin.buffer.fileno()
            serve(
                chosen.run_dir,
                requests,
                sys.stdout,
                tensorboard=chosen.tensorboard,
                parent=chosen.parent,
            )
        elif chosen.figures_only:
            draw_all(chosen.run_dir)
        else:
            write_report(chosen.run_dir)
    except KitError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy starts a thread for each core otherwise
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with contextlib.suppress(OSError, AttributeError):
        os.nice(LOWEST_PRIORITY)
    sys.exit(main())
