"""The forecast as the summary holds it, beside what the run then took."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from kit.report.quantities import count, duration
from kit.report.record import RunRecord, as_number


@dataclass(frozen=True)
class Forecast:
    """Wall seconds foretold for ``total_timesteps`` steps; ``actual_s`` is NaN until they are done."""

    total_timesteps: float
    predicted_s: float
    low_s: float
    high_s: float
    level: float
    calibrated: bool
    pairs: float
    actual_s: float
    phase_s: Mapping[str, float]

    @property
    def comparable(self) -> bool:
        """Whether the run has done what was forecast, so that the two may be compared."""
        return math.isfinite(self.actual_s)

    @property
    def inside(self) -> bool:
        """Whether the actual time lies in the interval."""
        return self.low_s <= self.actual_s <= self.high_s

    def sentence(self) -> str:
        """Say what was foretold, how sure that was, and what came."""
        level = f"{100 * self.level:.0f} % interval" if math.isfinite(self.level) else "interval"
        foretold = f"Forecast before the start: {duration(self.predicted_s)}"
        if math.isfinite(self.low_s) and math.isfinite(self.high_s):
            foretold += f" ({level} {duration(self.low_s)} to {duration(self.high_s)})"
        if not self.calibrated:
            seen = f" ({count(self.pairs)} so far)" if math.isfinite(self.pairs) else ""
            foretold += f", not calibrated: too few earlier runs on this kind of machine{seen}"
        if not self.comparable:
            return f"{foretold}. Not all of those steps are done, so there is nothing to compare yet."
        where = "inside the interval" if self.inside else "outside the interval"
        ratio = f", {self.actual_s / self.predicted_s:.2f} × the forecast" if self.predicted_s > 0 else ""
        return f"{foretold}. It took {duration(self.actual_s)}{ratio}: {where}."


def read_forecast(record: RunRecord) -> Forecast | None:
    """Return the forecast of the run's summary (of run.json where there is none), or None."""
    raw = record.summary.get("forecast") or record.run.get("forecast")
    if not isinstance(raw, dict) or not math.isfinite(as_number(raw.get("predicted_s"))):
        return None
    total = as_number(raw.get("total_timesteps"))
    done = record.summary.get("status") == "complete" and as_number(record.summary.get("step")) == total
    phases = raw.get("phases")
    return Forecast(
        total_timesteps=total,
        predicted_s=as_number(raw.get("predicted_s")),
        low_s=as_number(raw.get("low_s")),
        high_s=as_number(raw.get("high_s")),
        level=as_number(raw.get("level")),
        calibrated=raw.get("calibrated") is True,
        pairs=as_number(raw.get("pairs")),
        actual_s=as_number(record.summary.get("elapsed_s")) if done else math.nan,
        phase_s={
            str(entry.get("name")): as_number(entry.get("total_s"))
            for entry in (phases if isinstance(phases, list) else [])
            if isinstance(entry, dict)
        },
    )
