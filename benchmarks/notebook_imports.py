"""What a notebook imports itself, and how long that alone takes: a fresh kernel's process, and nothing else in it."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import kit
from kit.notebooks.document import Document
from kit.remote.kaggle_environment import kaggle_environment

_TIMED = """
import ipykernel.kernelapp
import json
import time
began = time.perf_counter()
{imports}
print(json.dumps(time.perf_counter() - began))
"""


def imports_of(notebook: Path) -> str:
    """Return the imports at the top of a notebook's cells, as lines in their order."""
    cells = Document.read(notebook).cells
    trees = [ast.parse(cell.source) for cell in cells if cell.runs]
    found = [one for tree in trees for one in tree.body if isinstance(one, ast.Import | ast.ImportFrom)]
    return "\n".join(ast.unparse(one) for one in found)


def seconds_of(imports: str, folder: Path) -> float:
    """Run the lines in a process that is a kernel's, and return their wall seconds.

    The kit is as it is once it was unpacked: without compiled files, in a folder of its own below ``folder``.
    """
    shutil.copytree(Path(kit.__file__).parent, folder / "kit", ignore=shutil.ignore_patterns("__pycache__"))
    environ = kaggle_environment(folder, folder, gpu=False) | {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-P", "-c", _TIMED.format(imports=imports)]
    # A session of its own, as the rehearsed machine is one: where the system shares the processor by sessions, alike.
    done = subprocess.run(
        command, env=environ, cwd=folder, check=True, capture_output=True, text=True, start_new_session=True
    )
    return float(json.loads(done.stdout.splitlines()[-1]))
