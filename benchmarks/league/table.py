"""The tables, from the rows of results-league.json: in Markdown for the README, in plain text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

MET = {True: "met", False: "**missed**"}


def markdown(rows: Iterable[dict[str, Any]]) -> str:
    """Return the table in Markdown."""
    lines = ["| what | measured | against |", "|---|---:|---|"]
    lines += [f"| {row['name']} | {_value(row)} | {_against(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def plain(rows: Iterable[dict[str, Any]]) -> str:
    """Return it for a terminal, up to 120 columns wide."""
    lines = [f"{row['name']:<51} {_value(row):>18}  {_against(row)}".replace("**", "") for row in rows]
    return "\n".join(lines) + "\n"


def _value(row: dict[str, Any]) -> str:
    value, unit = row["value"], str(row["unit"])
    if value is None:
        return "never"
    digits = 0 if unit in ("updates", "s") or unit.endswith(("/s", "-s")) else 3
    digits = 1 if unit in ("%", "MB") else digits
    return f"{value:,.{digits}f} {unit}"


def _against(row: dict[str, Any]) -> str:
    ratio = "" if row["ratio"] is None else f" ({row['ratio']:.2f}×)"
    return f"{row['against']}{ratio}".strip() + (f": {MET[row['met']]}" if "met" in row else "")
