"""What a person reads in the terminal: forecasts, summaries, verifications, as text of at most 100 columns."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from kit.harness.deadline import format_duration
from kit.timing.forecast import QUIET

OPTION_WORDS = {"A": "full, one session", "B": "reduced, one session", "C": "full, split over sessions"}
VERDICT_WORDS = {
    "fit": "FITS: the upper bound ends before the soft limit",
    "reduce": "DOES NOT FIT: reduce the steps (option B), or split (C)",
    "split": "DOES NOT FIT: split it over sessions (option C); every session resumes the one before",
}

COMPILED_TOLD_S = 0.5
"""Seconds of compilation that a forecast says nothing of."""
COMPARED = {"scenario", "n_seeds", "controllers", "differences"}
"""What an evaluation in results.json holds that is a comparison of controllers."""


def forecast_text(forecast: Mapping[str, Any]) -> str:
    """Return the forecast: phases, total with its interval, log and disk, options and verdict."""
    phases = plain_table(["phase", "count", "mean", "total", "interval"], "lrrrr")
    for row in forecast["phases"]:
        if not row["count"]:  # what only the quick test did
            continue
        phases.add_row(
            row["name"],
            f"{row['count']:,.0f}",
            _short(row["mean_s"]),
            format_duration(round(row["total_s"], 1)),
            f"{_time(row['low_s'])} to {_time(row['high_s'])}" if row.get("low_s") is not None else "",
        )
    options = plain_table(["option", "what", "steps", "sessions", "of", "takes"], "llrrrr")
    for row in forecast["options"]:
        options.add_row(
            row["name"],
            OPTION_WORDS[row["name"]],
            f"{row['timesteps']:,}",
            str(row["sessions"]),
            _time(row["session_s"]),
            _time(row["predicted_s"]),
        )
    level = f"{forecast['level']:.0%} interval" if forecast["pairs"] else "no past runs: a factor of two"
    calibrated = "" if forecast["calibrated"] else ", not calibrated on this machine yet"
    lines = [
        f"Forecast for {forecast['total_timesteps']:,} steps: {_time(forecast['predicted_s'])}"
        f"   ({_time(forecast['low_s'])} to {_time(forecast['high_s'])}; {level}{calibrated})",
        as_text(phases),
        *(_drifting(row) for row in forecast["phases"] if row.get("drift")),
        *_busy(forecast["busy_share"]),
        *_compiled(forecast["compiled_s"]),
        *_unsteady(forecast["reach"], forecast["factor"]),
        f"CPU {_time(forecast['predicted_cpu_s'])} of the training process;  {_quota(forecast['gpu_quota'])}",
        f"log {forecast['log_lines']:,} lines, {_bytes(forecast['log_bytes'])};  "
        f"disk {_bytes(forecast['disk_bytes'])};  session limit {_time(forecast['limit_s'])}, "
        f"{forecast['safety_factor']:.2f} times what is needed",
        as_text(options),
        _largest(forecast),
        VERDICT_WORDS[forecast["verdict"]],
    ]
    return "\n".join(lines)


def _drifting(row: Mapping[str, Any]) -> str:
    return (
        f"  {row['name']} drifts: a unit took {row['drift']:.2f} times as long in the later half of the quick test; "
        "the interval reaches to that pace"
    )


def _busy(share: float) -> list[str]:
    if share <= QUIET:
        return []
    return [
        f"  busy machine: others may have cost up to {share:.0%} of the quick test, so the interval reaches down",
        "  to what an idle one takes. A quick test while it is quiet says more.",
    ]


def _compiled(seconds: float) -> list[str]:
    if seconds < COMPILED_TOLD_S:
        return []
    return [f"  compiled for {_time(seconds)}, once for this machine: a run finds it on disk"]


def _unsteady(reach: float, factor: float) -> list[str]:
    if reach <= factor:
        return []
    return [
        f"  unsteady machine: equal work took up to {reach - 1:.0%} more or less from one moment of the quick test",
        "  to the next, so the interval reaches as far.",
    ]


def _quota(quota: Mapping[str, Any]) -> str:
    if quota["gpu"] == "none":
        return "no GPU in this machine, so no GPU quota"
    return (
        f"GPU quota {quota['hours']:.1f} h, at most {quota['high_hours']:.1f} of Kaggle's "
        f"{quota['weekly_hours']:.0f} a week ({quota['share']:.0%})"
    )


def _largest(forecast: Mapping[str, Any]) -> str:
    within = f"within the soft limit of {_time(forecast['soft_limit_s'])}"
    if forecast["largest_fit"] is None:
        return f"any number of steps fits {within}"
    return f"at most {forecast['largest_fit']:,} steps fit {within} by the upper bound"


def summary_text(summary: Mapping[str, Any], run_dir: str) -> str:
    """Return how a run ended, forecast against actual, and what to do next."""
    step, total = summary.get("step", 0), summary.get("total_timesteps", 0)
    lines = [
        f"{summary['status'].upper()}: {summary['reason']}   step {step:,} of {total:,}, "
        f"{summary['sessions']} session{'s' if summary['sessions'] != 1 else ''}, {_time(summary['elapsed_s'])}"
    ]
    if (
        summary.get("requested_timesteps")
        and summary["requested_timesteps"] != total
        and not summary.get("quick_test")
    ):
        lines.append(
            f"The total was reduced from {summary['requested_timesteps']:,} steps under time pressure."
        )
    forecast = summary.get("forecast")
    if forecast and summary["status"] == "complete" and not summary.get("quick_test"):
        lines.append(forecast_against_actual(forecast, summary["elapsed_s"]))
        lines += cpu_against_actual(forecast, summary)
    to_do = summary.get("still_to_do")
    if to_do and summary.get("resumable") and not summary.get("quick_test"):
        known = to_do["low_s"] is not None
        between = f" ({_time(to_do['low_s'])} to {_time(to_do['high_s'])})" if known else ""
        lines.append(f"Still to do: {_time(to_do['predicted_s'])}{between} and the start of another session.")
    if summary.get("inexact_reason"):
        lines.append(f"Resume is not exact: {summary['inexact_reason']}.")
    if summary.get("resumable"):
        short = str(summary.get("reason", "")).partition(":")[0]
        more = f" with more {short}" if short in ("memory", "disk") else ""
        lines.append(f"The same command again{more} continues it.")
    lines.append(f"{run_dir}/report.html   {run_dir}/artifacts.zip")
    return "\n".join(lines)


def forecast_against_actual(forecast: Mapping[str, Any], actual_s: float) -> str:
    """Return one line: predicted, actual, the error, and whether the interval held."""
    predicted = forecast["predicted_s"]
    inside = forecast["low_s"] <= actual_s <= forecast["high_s"]
    return (
        f"forecast {_time(predicted)} ({_time(forecast['low_s'])} to {_time(forecast['high_s'])}), "
        f"actual {_time(actual_s)}: {(actual_s / predicted - 1):+.1%}, {'inside' if inside else 'OUTSIDE'} the interval"
    )


def cpu_against_actual(forecast: Mapping[str, Any], summary: Mapping[str, Any]) -> list[str]:
    """Return a line with the CPU seconds of the training process, foretold and real, where both are known.

    Wall time that grew while CPU time did not was spent waiting: for a machine that others kept busy, or for a disk.
    """
    predicted, actual = forecast.get("predicted_cpu_s"), summary.get("cpu_s")
    if not predicted or not actual:
        return []
    return [f"CPU forecast {_time(predicted)}, actual {_time(actual)}: {actual / predicted - 1:+.1%}"]


def results_text(results: Mapping[str, Any]) -> str:
    """Return the comparison on test days: mean delay of each controller, the agent's difference with its interval.

    Empty for results of another workload.
    """
    evaluation = results.get("evaluation")
    if not isinstance(evaluation, Mapping) or not evaluation.keys() >= COMPARED:
        return ""
    table = plain_table(["controller", "delay s/veh", "queue veh", "agent minus it, s/veh (95 %)"], "lrrr")
    differences = {row["baseline"]: row for row in evaluation["differences"]}
    for row in evaluation["controllers"]:
        difference = differences.get(row["name"])
        words = (
            f"{difference['mean_s']:+.2f} ({difference['low_s']:+.2f} to {difference['high_s']:+.2f})"
            if difference
            else ""
        )
        table.add_row(
            row["name"],
            f"{_mean(row['delay_s_per_vehicle']):.2f}",
            f"{_mean(row['mean_queue_veh']):.1f}",
            words,
        )
    return f"{evaluation['scenario']}, {evaluation['n_seeds']} test days\n{as_text(table)}"


def verify_text(report: Mapping[str, Any], path: str) -> str:
    """Return what was checked and what is wrong with it."""
    notes = [f"  note: {note}" for note in report.get("notes", [])]
    if report["ok"]:
        return "\n".join([f"OK: {report['files']} files of {path} are what was written.", *notes])
    bad = [f"  {name}: {report.get('reasons', {}).get(name, 'bad')}" for name in report["bad"]]
    return "\n".join([f"BAD: {len(report['bad'])} of {report['files']} in {path}:", *bad, *notes])


def unpack_text(found: Mapping[str, Any]) -> str:
    """Return what was unpacked, how its checkpoints are, and how to continue."""
    lines = [f"Unpacked {found['files']} files into {found['run_dir']}."]
    if found["left_out"]:
        lines.append(f"  left out, since no run writes them: {', '.join(found['left_out'])}")
    for one in found["checkpoints"]:
        lines.append(f"  {one['name']}: {one['fault'] or 'sound'}")
    if not found["ok"]:
        lines.append("BAD: none of its checkpoints is sound, so the run would begin anew.")
    return "\n".join([*lines, f"Continue it: {found['continue_with']}"])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    return format_duration(round(seconds, 1) if seconds < 60 else round(seconds))


def _short(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def _bytes(size: float) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size:.0f} B"


def plain_table(names: Sequence[str], sides: str) -> Table:
    """Return an empty table with these columns; ``sides`` has an ``l`` or an ``r`` for each."""
    table = Table(box=None, pad_edge=False, header_style="")
    for name, side in zip(names, sides, strict=True):
        table.add_column(name, justify="right" if side == "r" else "left", no_wrap=True)
    return table


def as_text(table: Table) -> str:
    """Return a table as indented lines of at most 100 columns."""
    stream = io.StringIO()
    Console(file=stream, width=100, color_system=None, highlight=False).print(table)
    return "\n".join("  " + line.rstrip() for line in stream.getvalue().rstrip("\n").split("\n"))
