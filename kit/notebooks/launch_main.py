"""One launch of a notebook as a process of its own: python -m kit.notebooks.launch_main LAUNCH, a JSON object."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import kit.errors
from kit.errors import KitError, NotebookError
from kit.harness.clock import process_began_s
from kit.notebooks.launch import Launch, NotebookRun, as_raised
from kit.notebooks.runner import environment

Process: TypeAlias = "subprocess.Popen[str]"


def start_launch(
    notebook: Path, values: Mapping[str, Any], out: Path, log: Path, handed: Mapping[str, Any] | None = None
) -> Process:
    """Start what ``run`` does for a notebook, in a session of its own; what it says on stderr goes to ``log``."""
    launch = {
        "notebook": str(notebook),
        "values": dict(values),
        "out": str(out),
        "handed": dict(handed or {}),
    }
    with log.open("a") as sink:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "kit.notebooks.launch_main", json.dumps(launch)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=sink,
            text=True,
            start_new_session=True,
            env=environment({}),
        )


def summary_of(process: Process) -> dict[str, Any]:
    """Wait for a launch to end by itself, and return the summary of its run.

    Raises:
        KitError: what the launch raised, as the error that it was.
    """
    output, _ = process.communicate()
    try:
        said: dict[str, Any] = json.loads(output)
    except ValueError:
        raise NotebookError(f"The launched command ended with exit code {process.returncode}.") from None
    if "error" in said:
        raise as_raised(getattr(kit.errors, said["kind"]), said["error"])
    return said


def main() -> int:
    """Launch what the one argument says; print the summary, or the error, as one JSON object."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    asked = json.loads(sys.argv[1])
    handed, launched_s = asked["handed"], process_began_s()
    launch = Launch(
        Path(asked["notebook"]), asked["values"], asked["out"], handed=handed, launched_s=launched_s
    )
    try:
        said: dict[str, Any] = NotebookRun(launch).run()
    except KitError as error:
        said = {"error": str(error), "kind": type(error).__name__}
    sys.stdout.write(json.dumps(said) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
