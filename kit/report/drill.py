"""The table of a drill: when which kill came and what it cost, and whether the end was the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kit.report.terminal import as_text, plain_table


def drill_text(found: Mapping[str, Any]) -> str:
    """Return a drill's result: exactness first, a line for each kill, sums, and what differs."""
    lines = []
    if not found["exact"]:
        lines.append(f"Resume is NOT EXACT: {found['inexact_reason']}. A difference is to be expected.")
    table = plain_table(["kill", "in", "of", "at step", "resumed from", "repeated", "time lost"], "lllrrrr")
    for kill in found["each"]:
        table.add_row(
            str(kill["number"]),
            kill["kind"],
            kill["victim"],
            f"{kill['step']:,}",
            f"{kill['resumed_from']:,}",
            f"{kill['steps_repeated']:,}",
            f"{kill['lost_s']:.2f} s",
        )
    lines.append(as_text(table))
    counts = ", ".join(f"{count} in {kind}" for kind, count in sorted(found["killed_in"].items()))
    lines += [
        f"{found['kills']} of {found['asked_kills']} kills ({counts or 'none'}), "
        f"{found['rounds']} run{'s' if found['rounds'] != 1 else ''}",
        f"at most {found['steps_repeated_max']:,} steps repeated, {found['torn_rows']} torn rows, "
        f"{found['time_lost_s']:.1f} s lost in all",
        f"largest loss during training {found['time_lost_max_s']:.2f} s: {_promise(found)}",
        *(f"  differs: {difference}" for difference in found["differs"]),
        _verdict(found),
        found["run_dir"],
    ]
    return "\n".join(lines)


def _promise(found: Mapping[str, Any]) -> str:
    interval = f"one checkpoint interval ({found['cadence']['checkpoint_max_s']:g} s, set for the drill)"
    held = "within" if found["within_promise"] else "MORE THAN"
    return f"{held} {interval} and what was being written"


def _verdict(found: Mapping[str, Any]) -> str:
    if found["differs"]:
        return "NOT IDENTICAL with the undisturbed run."
    if not found["kills"]:
        return "NOTHING WAS KILLED: the run is over too soon. Give it more steps."
    if found["kills"] < found["asked_kills"]:
        return (
            "IDENTICAL with the undisturbed run, but it is too short for that many kills: give it more steps."
        )
    return "IDENTICAL with the undisturbed run."
