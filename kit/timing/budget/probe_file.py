"""A probe's result as JSON, recorded in a budget file: step time, samples a second, memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit.errors import UsageError
from kit.timing.budget.budget import Budget
from kit.timing.budget.plan_file import read_plan
from kit.timing.budget.processor import why_not_measured
from kit.timing.budget.record import record_all
from kit.timing.budget.yaml_file import read_text

KEYS = {"step_s": "step_time", "samples_per_s": "samples_per_s"}
LARGEST = 1e18  # bytes or seconds: beyond any machine
MEASURED_KEYS = (*KEYS, "device_peak_bytes", "peak_bytes")


def read_probe(path: Path) -> dict[str, Any]:
    """Return the object of a probe's file. Raises UsageError where it is none."""
    try:
        found = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path} is not JSON: {error}.") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path} holds no object, but a probe's result is one.")
    return found


def record_probe(path: Path, probe: Mapping[str, Any], *, stage: str = "", name: str = "probe") -> Budget:
    """Record what a probe measured, all of it or nothing, and return the budget that follows.

    ``step_s`` becomes the step time, ``samples_per_s`` the rate. ``device_peak_bytes`` becomes the memory of each GPU
    and ``peak_bytes`` that of the host; a probe that does not speak of the device at all means the GPU by
    ``peak_bytes``. Where ``device_peak_bytes`` is null there was no GPU, and its memory stays an estimate. Other keys
    are of no concern here. A probe of a CPU is recorded only where the first card of the stage is one.

    Args:
        path: the budget file.
        probe: the probe's result: stage, machine, date, and at least one measured figure.
        stage: the stage it is of, where the result does not say or says another.
        name: what to call the result in messages: its file.

    Raises:
        UsageError: something is missing or no positive number, or it was taken on a CPU; names it.
    """
    words = {key: _text(probe, key, name) for key in ("machine", "date")}
    values = {field: _shown(field, number) for field, number in _numbers(probe, name).items()}
    if not values:
        raise UsageError(f"{name} measured nothing: it has none of {', '.join(MEASURED_KEYS)}.")
    against = why_not_recorded(path, probe, stage=stage, name=name)
    if against:
        raise UsageError(f"{name}: {against}")
    return record_all(
        path,
        stage or _text(probe, "stage", name),
        values,
        source=_source(probe),
        date=words["date"],
        machine=words["machine"],
    )


def why_not_recorded(path: Path, probe: Mapping[str, Any], *, stage: str = "", name: str = "probe") -> str:
    """Return why ``record_probe`` would refuse a probe for what it computed on; empty where it would not.

    Raises:
        UsageError: the budget cannot be read, or nobody says which stage.
    """
    named = stage or _text(probe, "stage", name)
    stages = read_plan(path).stages
    return why_not_measured(stages[named], probe) if named in stages else ""


def _numbers(probe: Mapping[str, Any], name: str) -> dict[str, float]:
    memory = (
        {"device_peak_bytes": "vram", "peak_bytes": "ram"}
        if "device_peak_bytes" in probe
        else {"peak_bytes": "vram"}
    )
    found = {}
    for key, field in (KEYS | memory).items():
        value = probe.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < LARGEST:
            raise UsageError(f"{name}: {key} is {value!r}. Legal: a number more than zero.")
        found[field] = float(value)
    return found


def _shown(field: str, number: float) -> str:
    if field in ("vram", "ram"):
        return f"{number / 1e9:.4g} GB"
    return f"{number:.6g} {'s' if field == 'step_time' else 'samples/s'}"


def _text(probe: Mapping[str, Any], key: str, name: str) -> str:
    value = probe.get(key)
    if not isinstance(value, str) or not value.strip():
        more = " Give it with --stage." if key == "stage" else ""
        raise UsageError(f"{name}: {key!r} is missing, or not a text.{more}")
    return value


def _source(probe: Mapping[str, Any]) -> str:
    steps = probe.get("steps")
    counted = f" of {steps} steps" if isinstance(steps, int) and not isinstance(steps, bool) else ""
    return f"probe{counted}"
