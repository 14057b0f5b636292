"""What a run ran with: versions of the libraries and the kind of machine."""

from __future__ import annotations

import platform
from importlib import metadata

LIBRARIES = (
    "stable-baselines3",
    "sb3-contrib",
    "gymnasium",
    "torch",
    "numpy",
    "numba",
    "pandas",
    "papermill",
    "safetensors",
    "sumo-rl",
    "libsumo",
)


def versions() -> dict[str, str]:
    """Return the versions of Python and of those libraries that are installed."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine_kind(cores: int, gpu: str = "none") -> str:
    """Return a coarse name of the machine, for the history of forecasts: times compare only within a kind."""
    return f"{platform.system()}-{platform.machine()}-{cores}cores-gpu:{gpu}".lower()
