"""The environment of a child process that runs a module of the kit: it imports this kit, from wherever it starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the ``kit`` package."""


def with_the_kit(variables: Mapping[str, str]) -> dict[str, str]:
    """Return ``variables`` with the folder of the kit first on ``PYTHONPATH``, before what is there.

    A child is started with ``-P``, so that a file of the working folder named like a standard module does not take that
    module's place; the kit is then found by this alone. Empty entries, which mean the working folder, are left out.
    """
    given = variables.get("PYTHONPATH", "").split(os.pathsep)
    path = dict.fromkeys([str(ROOT), *filter(None, given)])
    return {**variables, "PYTHONPATH": os.pathsep.join(path)}
