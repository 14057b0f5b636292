"""The preflight of a notebook: the cheap checks before a run, and all of them around its quick test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kit.errors import KitError, NotebookError, StorageError
from kit.harness.deadline import Limits
from kit.harness.platform import detect
from kit.harness.summary import COMPLETE
from kit.notebooks.document import Document
from kit.notebooks.launch import Launch, NotebookRun
from kit.notebooks.locate import repository_root
from kit.notebooks.parameters import read_parameters
from kit.opening import folder_of
from kit.preflight.after import look_after
from kit.preflight.catalogue import in_order, not_looked_at
from kit.preflight.check import Finding, as_json
from kit.preflight.entrance import look_before, refuse_failed
from kit.preflight.launching import Launching
from kit.preflight.learning import UPDATES, Learning
from kit.preflight.live_record import forget_live, read_live
from kit.preflight.observation import SPACE
from kit.preflight.quick_run import QuickRun
from kit.timing.prediction import forecast_of, quick_folder

LIMITS = frozenset({"soft_limit", "hard_limit", "session_limit"})
NOT_TRAINED = "the notebook trains by no kit.sb3.learn, so it hands in no environment and no model"
CUT_SHORT = "the quick test ended before its training did"


def preflight(launch: Launch, limits: Limits) -> dict[str, Any]:
    """Run the notebook's quick test and return ``{passed, checks, run_dir}``: what every check saw.

    Raises:
        UsageError: the notebook, a setting or the folder cannot be used.
    """
    launch = replace(launch, quick_test=True)
    launching = launching_of(launch, limits)
    launching.folder.refuse_foreign()
    before = look_before(launching)
    forget_live(launching.folder)
    summary, fault = _quick_test(launch)
    found = [*before, *findings_of(launching, summary, fault, limits)]
    return {**as_json(found), "run_dir": str(launching.folder.root)}


def findings_of(
    launching: Launching, summary: Mapping[str, Any], fault: str, limits: Limits
) -> list[Finding]:
    """Return what the checks saw beside the living model and after the quick test that left ``summary``."""
    forecast = None
    if summary.get("status") == COMPLETE:
        try:
            forecast = forecast_of(launching.folder, None, limits)
        except KitError:  # a quick test that measured nothing: what is missing is told by the checks
            forecast = None
    quick = QuickRun(launching, summary, fault, forecast)
    live = read_live(launching.folder)
    if UPDATES.name not in {finding.name for finding in live} and quick.plans("update"):
        live.append(UPDATES.of(Learning(int(quick.count("update")), quick.timesteps, {}, {})))
    seen = {finding.name for finding in live}
    why = CUT_SHORT if SPACE.name in seen else NOT_TRAINED
    return in_order([*live, *not_looked_at(seen, why), *look_after(quick)])


def enter(launch: Launch, limits: Limits) -> None:
    """Make the cheap checks where ``launch`` begins a run; one that continues, or is complete, has made them.

    Raises:
        PreflightError: a check failed; names it, what it saw and what to do.
    """
    launching = launching_of(launch, limits)
    launching.folder.refuse_foreign()
    if not launch.fresh and launching.folder.holds_a_run():
        return
    refuse_failed(look_before(launching))


def launching_of(launch: Launch, limits: Limits) -> Launching:
    """Return what is known of a launch before it starts."""
    parameters = read_parameters(launch.notebook)
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    given = {name: value for name, value in launch.options.items() if name in defaults}
    folder = folder_of(launch.notebook.stem, launch.out, quick_test=launch.quick_test)
    cells = tuple(cell.source for cell in Document.read(launch.notebook).cells if cell.runs)
    platform = detect()
    if not LIMITS & launch.options.keys() and platform.session_limit_s:
        limits = Limits.resolve(session=platform.session_limit_s)
    launching = Launching(
        folder=folder,
        platform=platform,
        limits=limits,
        parameters={**defaults, **launch.values, **given},
        defaults=defaults,
        cells=cells,
        requirements=repository_root() / "requirements.txt",
        options=launch.handed,
    )
    return launching if launch.quick_test else replace(launching, need_bytes=_forecast_disk(launching))


def _forecast_disk(launching: Launching) -> int:
    """Return the disk that the quick test beside the run forecasts, 0 where there is none."""
    try:
        return int(forecast_of(quick_folder(launching.folder), None, launching.limits)["disk_bytes"])
    except KitError:
        return 0


def _quick_test(launch: Launch) -> tuple[dict[str, Any], str]:
    """Run it; return its summary, or why there is none."""
    try:
        return NotebookRun(launch).run(), ""
    except (NotebookError, StorageError) as error:
        return {}, str(error)
