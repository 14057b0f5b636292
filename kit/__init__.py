"""The training kit for notebooks that will be killed.

``TrainingSession`` is the one object that a notebook talks to, ``Cadence`` says how often it keeps a run safe;
``kit.sb3.learn`` trains under it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kit.harness.cadence import Cadence
    from kit.session import TrainingSession

__version__ = "0.1.0"
__all__ = ["Cadence", "TrainingSession", "__version__"]


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is asked for: ``import kit`` alone stays light."""
    if name == "Cadence":
        from kit.harness.cadence import Cadence

        return Cadence
    if name == "TrainingSession":
        from kit.session import TrainingSession

        return TrainingSession
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
