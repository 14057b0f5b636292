"""The history of forecasts in the terminal: how many runs there are, and how far off they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kit.report.terminal import as_text, plain_table


def history_text(found: Mapping[str, Any]) -> str:
    """Return what was added, the pairs by kind of machine, and the factor of each interval here."""
    lines = []
    if found["found"]:
        lines.append(f"Added {found['added']} of {found['found']} runs; the others were there already.")
    lines.append(f"This machine is {found['machine']}; its history is {found['file']}.")
    runs = ", ".join(f"{count} on {machine}" for machine, count in sorted(found["own"].items())) or "none yet"
    lines.append(f"Runs of your own: {runs}. Shipped with the kit: {found['shipped']}.")
    table = plain_table(["interval of", "factor", "level", "runs", "from"], "lrrrl")
    _add(table, "the whole run", found["run"])
    for name, facts in found["phases"].items():
        _add(table, name, facts)
    for share, facts in found["ahead"].items():
        _add(table, f"what is left after {float(share):.0%}", facts)
    lines.append(as_text(table))
    return "\n".join(lines)


def _add(table: Any, name: str, facts: Mapping[str, Any]) -> None:
    if not facts["pairs"]:
        return
    source = "this kind of machine" if facts["calibrated"] else "the shipped runs"
    table.add_row(name, f"{facts['factor']:.2f}", f"{facts['level']:.0%}", str(facts["pairs"]), source)
