"""What the terminal says of a budget: the total, what was measured, where figures disagree."""

from __future__ import annotations

from kit.report.budget_figures import Data, span
from kit.report.quantities import plural


def budget_text(data: Data) -> str:
    """Return a budget as the terminal shows it: total, what was measured, contradictions, the document."""
    total, weeks = data["total"], data["kaggle"]["weeks"]
    least = "" if total["storage_known"] else "at least "
    lines = [
        f"Total: {span(total['gpu_hours'], 'GPU-h')}, "
        f"with planning budgets {span(total['planning_gpu_hours'], 'GPU-h')}",
        f"  {span(total['money'], data['currency'])}, {least}{span(total['storage_gb'], 'GB')}, "
        f"{span(weeks, 'weeks')} of Kaggle's quota",
    ]
    figures = [figure for stage in data["stages"] for figure in stage["figures"]]
    for mark in ("measured", "projected"):
        found = [f"{one['name']} {one['text']}" for one in figures if one["mark"] == mark]
        if found:
            lines.append(f"{mark}: {', '.join(found)}")
    wrong = [one for one in data["findings"] if one["kind"] == "contradiction"]
    lines.append(f"{plural(len(wrong), 'contradiction')}{':' if wrong else ''}")
    lines += [f"  {one['place']} (line {one['line']}): {one['text']}" for one in wrong]
    return "\n".join([*lines, f"{data['document']}   {data['chart']}"])
