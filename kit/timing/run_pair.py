"""The pair of a finished run: what its forecast said and what it took, read from its folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kit.harness.run_folder import RunFolder
from kit.harness.summary import COMPLETE, SessionLedger, read_json
from kit.timing.pair import SHORTEST_S, Ahead, Pair


def pair_of_run(folder: RunFolder) -> Pair | None:
    """Return the pair of the run in ``folder``, or None where its time says nothing about its forecast.

    It says something where the run was forecast, is complete, in one session, and did the steps of the forecast, which
    nothing changed on the way. A quick test is no run.

    Raises:
        NO_PAIR: the folder holds something else than a run of this kit.
    """
    run, summary = read_json(folder.run_json), read_json(folder.summary)
    forecast = summary.get("forecast")
    if not forecast or summary.get("status") != COMPLETE or summary.get("sessions") != 1:
        return None
    totals = {summary.get("total_timesteps"), summary.get("requested_timesteps"), forecast["total_timesteps"]}
    changed = len(totals) > 1 or summary.get("scalings") or summary.get("quick_test")
    if changed or "machine_kind" not in run or "predicted_cpu_s" not in forecast:
        return None  # a reduced run says nothing about the time of the full one, nor does one of an older kit
    timing = read_json(folder.timing)
    taken = {row["name"]: row for row in timing.get("phases", [])}
    elapsed_s = float(summary["elapsed_s"])
    return Pair(
        notebook=str(run["notebook"]),
        machine=str(run["machine_kind"]),
        predicted_s=round(float(forecast["predicted_s"]), 3),
        actual_s=elapsed_s,
        date=SessionLedger(folder).entries[0].began[:10],
        timesteps=int(summary["total_timesteps"]),
        predicted_cpu_s=round(float(forecast["predicted_cpu_s"]), 3),
        actual_cpu_s=round(sum(float(row["cpu_s"]) for row in taken.values()), 3),
        phases={row["name"]: _seconds(row, taken.get(row["name"])) for row in forecast["phases"]},
        ahead=tuple(one for note in timing.get("reforecasts", []) if (one := _ahead(note, elapsed_s))),
    )


def _seconds(predicted: Mapping[str, Any], taken: Mapping[str, Any] | None) -> tuple[float, float]:
    return round(float(predicted["total_s"]), 3), round(float(taken["total_s"]), 3) if taken else 0.0


def _ahead(note: Mapping[str, Any], elapsed_s: float) -> Ahead | None:
    """Return what was foretold under way beside what came; None where there was hardly anything left."""
    foretold_s, left_s = round(float(note["remaining_s"]), 3), round(elapsed_s - float(note["elapsed_s"]), 3)
    if min(foretold_s, left_s) < SHORTEST_S:
        return None
    return Ahead(float(note["share"]), foretold_s, left_s)
