"""run.json: what runs in a folder, and the refusal to continue anything else there."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

import kit
from kit.errors import IntegrityError, UsageError
from kit.harness.config import config_hash, describe, refuse_other_config
from kit.harness.deadline import Limits
from kit.harness.platform import machine
from kit.harness.provenance import versions
from kit.harness.run_folder import RunFolder
from kit.harness.scaling import TimestepScaler
from kit.harness.summary import read_json, write_json
from kit.launched import given_parameters
from kit.runtime import device_in_use, threads_in_use
from kit.timing.measured import Measurement
from kit.timing.prediction import forecast_of, measured_beside, quick_folder, this_machine

logger = logging.getLogger(__name__)

FORMS = {"config": dict, "declared": list, "scalings": list, "total_timesteps": int}
"""What is read back of run.json, which may come from elsewhere."""


def read_run(folder: RunFolder) -> dict[str, Any]:
    """Return what run.json holds; empty for a fresh folder.

    Raises:
        IntegrityError: it holds something else than ``RunRecord.write`` put there.
    """
    path = folder.run_json
    facts = read_json(path)
    for name, kind in FORMS.items():
        if not isinstance(facts.get(name, kind()), kind):
            raise IntegrityError(f"{path} holds no run: its {name!r} is {facts[name]!r}.", [str(path)])
    return facts


class RunRecord:
    """The settings of one run. ``config`` is everything that decides its results; more can be declared."""

    def __init__(
        self,
        folder: RunFolder,
        notebook: str,
        total_timesteps: int,
        config: Mapping[str, Any],
        *,
        quick_test: bool,
    ) -> None:
        self._folder = folder
        self._scalings: list[Any] | None = None
        self._declared: set[str] = set()
        self._looked, self._measured = False, cast("Measurement | None", None)
        self.notebook, self.requested_timesteps, self.quick_test = notebook, total_timesteps, quick_test
        self.config = {
            "notebook": notebook,
            "kit": kit.__version__,
            "total_timesteps": total_timesteps,
            **config,
        }

    @property
    def config_hash(self) -> str:
        """The hash that checkpoints carry."""
        return config_hash(self.asked)

    @property
    def asked(self) -> dict[str, Any]:
        """What a run is compared by before more is declared."""
        return {"quick_test": self.quick_test, **self.config}

    def on_disk(self) -> dict[str, Any]:
        """Return what run.json holds; empty for a fresh folder.

        Raises:
            IntegrityError: it holds something else than ``write`` put there.
        """
        return read_run(self._folder)

    def refuse_others(self) -> None:
        """Raise ConfigMismatchError when the folder holds a run with other settings."""
        before = self.on_disk()
        if not before:
            return
        there = {"quick_test": before.get("quick_test", False), **before.get("config", {})}
        declared = before.get("declared", [])  # compared when this session declares them
        refuse_other_config(
            self._folder.root, {key: there[key] for key in there if key not in declared}, describe(self.asked)
        )

    def declare(self, settings: Mapping[str, Any]) -> None:
        """Add settings that decide the results; raises ConfigMismatchError like ``refuse_others``."""
        before = self.on_disk().get("config")
        if before is not None:
            # A run that failed before it declared them left none, and no checkpoint that they could contradict.
            trained = any(self._folder.checkpoints.glob("step-*"))
            compared = [name for name in settings if trained or name in before]
            there = {name: before.get(name) for name in compared}
            refuse_other_config(self._folder.root, there, describe({n: settings[n] for n in compared}))
        self.config.update(settings)
        self._declared.update(settings)

    def _earlier_scalings(self, before: Mapping[str, Any]) -> list[Any]:
        """Return the changes of the total that the sessions before this one made."""
        if self._scalings is None:
            self._scalings = list(before.get("scalings", []))
        return self._scalings

    def total_timesteps(self) -> int:
        """Return the total that holds: what was asked for, or what an earlier session reduced it to."""
        return int(self.on_disk().get("total_timesteps", self.requested_timesteps))

    def quick_test_measured(self) -> Measurement | None:
        """Return what the quick test beside the run measured, if it says anything here; looked for once."""
        if not self._looked:
            self._looked = True
            self._measured = measured_beside(self._folder, self.config)
        return self._measured

    def write(self, scaler: TimestepScaler, limits: Limits, threads: int) -> dict[str, Any]:
        """Write run.json and return it. The forecast is made once, from the quick test beside the run, and kept."""
        before = self.on_disk()
        forecast = before.get("forecast")
        if forecast is None and not self.quick_test:
            forecast = self._forecast(limits)
        facts = {
            "notebook": self.notebook,
            "parameters": describe({k: v for k, v in self.config.items() if k not in ("notebook", "kit")}),
            "notebook_parameters": given_parameters(),
            "config": describe(self.config),
            "declared": sorted(self._declared),
            "config_hash": self.config_hash,
            "seed": self.config.get("seed", 0),
            "quick_test": self.quick_test,
            "total_timesteps": scaler.total_timesteps,
            "requested_timesteps": self.requested_timesteps,
            "kit": kit.__version__,
            "versions": versions(),
            "machine": machine(),
            "machine_kind": this_machine(),
            "threads": threads_in_use(threads),
            "device": device_in_use(),
            "limits": asdict(limits),
            "forecast": forecast,
            "scalings": self._earlier_scalings(before) + [asdict(change) for change in scaler.scalings],
        }
        write_json(self._folder.run_json, facts)
        return facts

    def _forecast(self, limits: Limits) -> dict[str, Any] | None:
        if self.quick_test_measured() is None:
            return None
        try:
            return forecast_of(quick_folder(self._folder), None, limits)
        except UsageError as error:
            logger.warning("The quick test beside %s forecasts nothing: %s", self._folder.root.name, error)
            return None
