"""A finished quick test, as the checks after it see it: what lies in its folder, and the forecast made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kit.errors import KitError
from kit.harness.run_folder import RunFolder
from kit.harness.summary import COMPLETE, read_json
from kit.preflight.episodes import EpisodesSeen
from kit.preflight.launching import Launching
from kit.preflight.live_record import read_episodes


@dataclass(frozen=True)
class QuickRun:
    """A quick test that has ended, well or not.

    Attributes:
        launching: what was known before it.
        summary: how it ended; empty where it left no run.
        fault: why there is no summary, empty where there is one.
        forecast: the forecast of the full run; None where the quick test does not support one.
    """

    launching: Launching
    summary: Mapping[str, Any]
    fault: str = ""
    forecast: Mapping[str, Any] | None = None

    @property
    def folder(self) -> RunFolder:
        """Its run folder."""
        return self.launching.folder

    @property
    def complete(self) -> bool:
        """Whether it reached its end."""
        return self.summary.get("status") == COMPLETE

    @cached_property
    def run(self) -> Mapping[str, Any]:
        """What run.json holds."""
        return _read(self.folder, "run.json")

    @cached_property
    def timing(self) -> Mapping[str, Any]:
        """What timing.json holds."""
        return _read(self.folder, "timing.json")

    @cached_property
    def results(self) -> Mapping[str, Any]:
        """What the workload found out; empty where it saved nothing."""
        return _read(self.folder, "results.json")

    @cached_property
    def episodes(self) -> EpisodesSeen | None:
        """What its training saw of episodes; None where nobody counted them."""
        return read_episodes(self.folder)

    @property
    def timesteps(self) -> int:
        """The steps that it trained."""
        return int(self.summary.get("step") or 0)

    @property
    def planned(self) -> int:
        """The steps of the full run."""
        return int(self.run.get("requested_timesteps") or 0)

    @property
    def open_s(self) -> float:
        """How long its session was open, seconds: without the start of its process."""
        return sum(float(row["total_s"]) for row in self.timing.get("phases", []) if row["name"] != "setup")

    def plans(self, phase: str) -> bool:
        """Whether the full run is planned to have units of ``phase`` at the rate that was measured."""
        plan = (self.timing.get("measured") or {}).get("plan") or {}
        return phase in (plan.get("rates") or {})

    def count(self, phase: str) -> float:
        """Return how many units of a phase there were."""
        return sum(float(row["count"]) for row in self.timing.get("phases", []) if row["name"] == phase)


def _read(folder: RunFolder, name: str) -> Mapping[str, Any]:
    try:
        return read_json(folder.root / name)
    except KitError:
        return {}  # the check of the archive names a file that cannot be read
