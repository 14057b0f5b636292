"""Recording a measurement in a budget file, in place: comments, order and every other figure stay as they are."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from kit.errors import UsageError
from kit.harness.store import atomic_write
from kit.timing.budget.budget import Budget, parse_budget
from kit.timing.budget.entry import MEASURED, UNKNOWN, check_date, check_quantity
from kit.timing.budget.fields import STAGE_FIELDS
from kit.timing.budget.figures import Figure
from kit.timing.budget.place import Place
from kit.timing.budget.quantity import parse_quantity
from kit.timing.budget.show import show_figure
from kit.timing.budget.yaml_file import Block, Node, Scalar, read_text

_SAFE = re.compile(r"[0-9A-Za-z][0-9A-Za-z.%/ +-]*")
ORDER = ("value", "mark", "source", "machine", "date", "was")


@dataclass(frozen=True)
class Edit:
    """Characters ``start`` to ``end`` of a text are to become ``text``."""

    start: int
    end: int
    text: str


def record(
    path: Path, stage: str, field: str, value: str, *, source: str, date: str, machine: str = ""
) -> Budget:
    """Write one measured figure into a budget file and return the budget that it now gives.

    The figure is marked *measured*, with where it is from; what stood there before is kept as ``was``. What follows
    from it by a formula or a ``projection`` is *projected* from then on. The file is replaced whole, and only if the
    budget with the new figure can be read.

    Args:
        path: the budget file.
        stage: the stage, ``sft``.
        field: the figure, ``step_time``; it is added where the stage does not give it yet.
        value: with its unit, ``1.93 s``.
        source: what measured it.
        date: the day, ``2026-11-21``.
        machine: on what, in words that hold the card's name.

    Raises:
        UsageError: no such stage or field, no such value, or the file itself is at fault.
        StorageError: writing failed; the file is as it was.
    """
    return record_all(path, stage, {field: value}, source=source, date=date, machine=machine)


def record_all(
    path: Path, stage: str, values: dict[str, str], *, source: str, date: str, machine: str = ""
) -> Budget:
    """Write several measured figures of one stage, all or none; see ``record``."""
    text = read_text(path)
    words = {"source": _line(source), "machine": _line(machine), "date": check_date(date)}
    if not words["source"]:
        raise UsageError("A measured figure says where it is from: 'source' is empty.")
    before = budget = parse_budget(text, path.name)
    for field, value in values.items():
        was = _was(
            before.figures.get(f"{stage}.{field}")
        )  # before any of them, for one may follow from another
        text = _recorded(text, budget, stage, field, value, words | {"was": was})
        budget = parse_budget(text, path.name)
    atomic_write(path, text)
    return budget


def _recorded(text: str, budget: Budget, stage: str, field: str, value: str, words: dict[str, str]) -> str:
    """Return the text of the file with one figure recorded."""
    place = Place(budget.plan.file, path=f"{stage}.{field}")
    if stage not in budget.plan.stages:
        raise place.unknown("stage", stage, budget.plan.stages)
    if field not in STAGE_FIELDS:
        raise place.unknown("figure", field, STAGE_FIELDS)
    try:
        quantity = parse_quantity(value)
        check_quantity(STAGE_FIELDS[field], quantity)
    except UsageError as error:
        raise place.wrap(error) from error
    stages = budget.plan.root.entries["stages"]
    block = stages.entries[stage] if isinstance(stages, Block) else stages
    keys = {"value": value, "mark": MEASURED, **words}
    given = {key: _quoted(key, keys[key]) for key in ORDER if keys[key]}
    if not isinstance(block, Block):
        raise place.error("A mapping of names to figures is wanted.")
    return _apply(text, _edits(text, block, field, given))


def _was(figure: Figure | None) -> str:
    """Return what to keep of the figure that is replaced: the first estimate, not an earlier measurement."""
    if figure is None:
        return ""
    if figure.mark == MEASURED or figure.entry.was:
        return figure.entry.was
    return UNKNOWN if figure.quantity is None else show_figure(figure.entry.field, figure.quantity)


def _edits(text: str, block: Block, field: str, given: dict[str, str]) -> list[Edit]:
    flow = "{" + ", ".join(f"{key}: {value}" for key, value in given.items()) + "}"
    node = block.entries.get(field)
    if node is None:
        return [_insertion(text, block, f"{field}: {flow}")]
    if isinstance(node, Scalar):
        return [Edit(node.start, node.end, flow)]
    if not isinstance(node, Block):
        raise node.place.error("A figure is wanted.")
    edits = [
        Edit(inner.start, inner.end, given[key])
        for key, inner in node.entries.items()
        if key in given and isinstance(inner, Scalar)
    ]
    new = [f"{key}: {value}" for key, value in given.items() if key not in node.entries]
    return [*edits, *([_insertion(text, node, *new, after="value")] if new else [])]


def _insertion(text: str, block: Block, *lines: str, after: str = "") -> Edit:
    """Return the edit that adds ``key: value`` lines to a mapping, after a key of it or at its end."""
    key = after or list(block.entries)[-1]
    at = _end(block.entries[key])
    if block.flow:
        return Edit(at, at, "".join(f", {line}" for line in lines))
    newline = "\r\n" if "\r\n" in text else "\n"
    end = text.find("\n", at)
    comment = text[at : end if end >= 0 else len(text)].rstrip("\r")  # stays on the line that it is about
    at += len(comment)
    indent = " " * block.columns[key]
    return Edit(at, at, "".join(f"{newline}{indent}{line}" for line in lines))


def _end(node: Node) -> int:
    """Return where the last thing in a node ends; a block's own end is where the next thing begins."""
    if isinstance(node, Scalar) or (isinstance(node, Block) and node.flow):
        return node.end
    if isinstance(node, Block):
        return _end(list(node.entries.values())[-1])
    return node.end if node.flow or not node.items else _end(node.items[-1])


def _apply(text: str, edits: list[Edit]) -> str:
    for edit in sorted(edits, key=lambda one: (one.start, one.end), reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _quoted(key: str, value: str) -> str:
    """Write a value as YAML: as it is where that is safe, else in double quotes, which YAML reads like JSON."""
    safe = key in ("value", "mark", "date") and _SAFE.fullmatch(value)
    return value if safe else json.dumps(value, ensure_ascii=False)


def _line(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in " ".join(text.split()))
