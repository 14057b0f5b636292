"""COMPUTE_BUDGET.md: a budget as a document that is made anew whenever a figure changes; from plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from kit.report.budget_figures import Data, cell, figure_table, span, stage_parts, table
from kit.report.output import put
from kit.report.quantities import plural, share

FILE = "COMPUTE_BUDGET.md"
BAR = 24


def write_budget(data: Data, path: Path) -> Path:
    """Write the document of a budget (``Budget.as_json()`` of ``kit.timing.budget``) and return its path.

    Raises:
        StorageError: The disk refuses; what was there before is intact.
    """
    return put(path, budget_document(data))


def budget_document(data: Data) -> str:
    """Return the document: total, where the hours go, contradictions, Kaggle, then every figure with its mark."""
    title = f": {cell(data['title'])}" if data["title"] else ""
    parts = [
        f"# Compute budget{title}",
        f"Made from `{data['file']}` by `validation_cli.py budget {data['file']}`. Change a figure "
        "there, or record a probe, and make it again; do not edit this page.",
        _marks(data),
        "## Total",
        *_total(data),
        "## Where the hours go",
        _hours(data),
        *_findings(data),
        "## On Kaggle",
        *_kaggle(data),
        "## Stages",
        *(part for stage in data["stages"] for part in stage_parts(stage, data["currency"])),
        "## What they share",
        *_shared(data),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def document_path(budget: Path, out: str) -> Path:
    """Return where the document goes: ``out``, a file or a folder (no ending); by default beside the budget file."""
    if not out:
        return budget.with_name(FILE)
    path = Path(out)
    return path if path.suffix and not path.is_dir() else path / FILE


def _marks(data: Data) -> str:
    counts, meanings = data["marks"], data["mark_meanings"]
    lines = [f"- *{mark}* ({plural(counts[mark], 'figure')}): {meanings[mark]}." for mark in counts]
    if not counts["measured"]:
        lines.append(
            "\nNothing has been measured yet. Run a probe on the target card before any long run, and record it."
        )
    return "\n".join(lines)


def _total(data: Data) -> list[str]:
    currency = data["currency"]
    head = ["", "GPU-hours", "planning budget, GPU-h", "storage", currency]
    rows = [[group["title"], *_costs(group)] for group in data["groups"]]
    part = next(one["text"] for one in data["plan"] if one["name"] == "plan.contingency")
    seeds = next(one["text"] for one in data["plan"] if one["name"] == "plan.seeds")
    contingency = _costs(data["contingency"])
    rows.append([f"Contingency, {part}", *contingency[:2], "–", *contingency[3:]])
    rows.append([f"**{cell}**" for cell in ("Total", *_costs(data["total"]))])
    without = [group["title"] for group in data["groups"] if group["name"] in data["without"]]
    lines = [
        f"Total = {data['formula']}, with {seeds}.",
        table(head, rows, "lrrrr"),
        "The planning budget counts each run with what is to be set aside for it, or with its upper end. "
        "Contingency goes on hours and money, not on storage.",
    ]
    if not data["total"]["storage_known"]:
        lines.append("Storage is a lower bound: not every stage says what it leaves (≥).")
    if without:
        lines.append(f"Left out on purpose: {', '.join(without)}.")
    return lines


def _costs(cost: Data) -> list[str]:
    storage = span(cost["storage_gb"], "GB")
    if not cost["storage_known"]:
        storage = f"≥ {storage}" if cost["storage_gb"]["high"] else "unknown"
    return [span(cost["gpu_hours"]), span(cost["planning_gpu_hours"]), storage, span(cost["money"])]


def _hours(data: Data) -> str:
    most = max((stage["total"]["gpu_hours"]["high"] for stage in data["stages"]), default=0.0)
    all_high = data["total"]["gpu_hours"]["high"]
    rows = []
    for stage in sorted(data["stages"], key=lambda one: -one["total"]["gpu_hours"]["high"]):
        hours = stage["total"]["gpu_hours"]
        of_all = share(hours["high"], all_high)
        rows.append(
            [cell(stage["title"]), span(stage["repeats"]), span(hours, "GPU-h"), of_all, _bar(hours, most)]
        )
    buffer = data["contingency"]["gpu_hours"]
    rows.append(
        ["Contingency", "", span(buffer, "GPU-h"), share(buffer["high"], all_high), _bar(buffer, most)]
    )
    drawn = table(["stage", "runs", "in all", "share of the upper end", "█ low, ░ up to high"], rows, "lrrrl")
    return f"{drawn}\n\n`budget.png`, drawn beside this page, shows the same."


def _bar(hours: Mapping[str, float], most: float) -> str:
    low, high = (round(BAR * hours[end] / most) if most else 0 for end in ("low", "high"))
    return "█" * low + "░" * (high - low)


def _findings(data: Data) -> list[str]:
    parts = []
    for kind, title, none in (
        ("contradiction", "Contradictions", "The checks find none."),
        ("assumed", "Assumed: the plan gives no value", ""),
        ("open", "Open: nobody has given a value", ""),
    ):
        found = [one for one in data["findings"] if one["kind"] == kind]
        if not found and not none:
            continue
        parts.append(f"## {title}")
        if kind == "open":
            parts.append(", ".join(f"`{one['place']}`" for one in found) + ".")
        else:
            lines = (f"- `{one['place']}` (line {one['line']}): {cell(one['text'])}" for one in found)
            parts.append("\n".join(lines) or none)
    return parts


def _kaggle(data: Data) -> list[str]:
    found = data["kaggle"]
    given = {one["name"].removeprefix("kaggle."): one["text"] for one in found["figures"]}
    rows = [
        [f"weeks of {given['quota_per_week']}, all GPU-hours", span(found["weeks"])],
        ["weeks as billed: a machine with two cards counts once", span(found["weeks_billed"])],
        [f"sessions of {given['session']}", span(found["sessions"])],
    ]
    slow = found["slowdown"]
    lines = [
        "Every stage and the contingency, as if its cards were as fast as those of the plan.",
        table(["", ""], rows, "lr"),
    ]
    if (slow["low"], slow["high"]) != (1.0, 1.0):
        longer = {end: found["weeks_billed"][end] * slow[end] for end in ("low", "high")}
        lines.append(
            f"At {given['slowdown']} the time of the plan's cards, as given below: "
            f"{span(longer, 'weeks as billed')}."
        )
    size = f"{given['cards'].split()[0]} × {given['card_memory']}"
    stages: dict[str, list[str]] = {}
    for name, verdict in found["stages"].items():
        stages.setdefault(verdict, []).append(f"`{name}`")
    words = {
        "cannot run": f"Cannot run there, needing more than {size}",
        "only split over the cards": f"Only with the model split over {size}",
        "fits a card": "Fits",
        "unknown": f"Not known to fit {size}, for want of a memory figure",
    }
    lines.append("\n".join(f"- {words[verdict]}: {', '.join(names)}." for verdict, names in stages.items()))
    return lines


def _shared(data: Data) -> Iterable[str]:
    yield figure_table([*data["plan"], *data["shared"], *data["kaggle"]["figures"]])
    yield figure_table(
        [
            {**one, "meaning": f"{card['name']}: {one['meaning']}"}
            for card in data["cards"]
            for one in card["figures"]
        ]
    )
