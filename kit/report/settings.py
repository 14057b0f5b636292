"""What was set, and what it ran on."""

from __future__ import annotations

import json
from collections.abc import Mapping

from kit.report.markup import Markup, element, section
from kit.report.record import RunRecord


def settings(record: RunRecord) -> Markup:
    """Everything that was set, and what it ran on."""
    run = record.run
    shown = ("parameters", "versions", "machine")
    elsewhere = (*shown, "config", "notebook_parameters", "forecast")  # config repeats the parameters
    groups: dict[str, object] = {key.capitalize(): run.get(key) for key in shown}
    groups["Run"] = {key: value for key, value in run.items() if key not in elsewhere}
    parts = []
    for name, values in groups.items():
        if isinstance(values, dict) and values:
            parts += [element("h3", name), _setting_table(values)]
    return section("Settings", *parts)


def _setting_table(values: Mapping[str, object]) -> Markup:
    rows = [
        element("tr", element("th", key, scope="row"), element("td", _value(value)))
        for key, value in _flat(values).items()
    ]
    return element("div", element("table", element("tbody", *rows), class_="settings"), class_="scroll")


def _flat(values: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Write nested settings as ``limits.soft_s``, one a row."""
    rows: dict[str, object] = {}
    for key, value in values.items():
        rows |= (
            _flat(value, f"{prefix}{key}.")
            if isinstance(value, dict) and value
            else {f"{prefix}{key}": value}
        )
    return rows


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
