"""What budget.yaml holds: the plan, the cards, Kaggle's terms, shared figures, and the stages; read and checked.

Formulas are not evaluated here, see ``figures``. Every error names the file, the line and the figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kit.timing.budget.entry import Entry, read_entry
from kit.timing.budget.fields import (
    CARD_FIELDS,
    GROUPS,
    KAGGLE_FIELDS,
    KINDS,
    NEVER_UNKNOWN,
    PLAN_FIELDS,
    STAGE_FIELDS,
    Field,
)
from kit.timing.budget.place import Place
from kit.timing.budget.units import CURRENCIES
from kit.timing.budget.yaml_file import Block, Listing, Node, Scalar, parse_yaml, read_text

SECTIONS = ("title", "plan", "cards", "kaggle", "figures", "stages")
RESERVED = ("plan", "cards", "kaggle", "figures")
WORDS = ("title", "note", "kind", "group", "gpu", "relative_to")


@dataclass(frozen=True)
class Stage:
    """One stage: what it is, when it is counted (``group``), and the cards it may run on; the first is charged."""

    name: str
    place: Place
    title: str
    note: str
    kind: str
    group: str
    cards: tuple[str, ...]
    relative_to: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class PlanFile:
    """A budget file, read: its stages in order, its cards, and every figure by its name (``sft.vram``)."""

    file: str
    title: str
    stages: dict[str, Stage]
    cards: tuple[str, ...]
    without: tuple[str, ...]
    entries: dict[str, Entry]
    root: Block


def read_plan(path: Path) -> PlanFile:
    """Read a budget file. Raises UsageError, which names file, line and figure."""
    return parse_plan(read_text(path), path.name)


def parse_plan(text: str, name: str) -> PlanFile:
    """Read the text of a budget file called ``name``; see ``read_plan``."""
    root = parse_yaml(text, name)
    for key, node in root.entries.items():
        if key not in SECTIONS:
            raise node.place.unknown("section", key, SECTIONS)
    cards = _section(root, "cards")
    entries: dict[str, Entry] = {}
    plan = _section(root, "plan")
    _figures(entries, plan, "plan", PLAN_FIELDS, tuple(PLAN_FIELDS), also=("without",))
    for card, node in cards.entries.items():
        _figures(entries, _block(node), f"cards.{card}", _card_fields(node), tuple(CARD_FIELDS))
    _figures(entries, _section(root, "kaggle"), "kaggle", KAGGLE_FIELDS, tuple(KAGGLE_FIELDS))
    if "figures" in root.entries:
        for own, node in _section(root, "figures").entries.items():
            _check_name(own, node)
            entries[f"figures.{own}"] = read_entry(f"figures.{own}", node, None)
    stages = {
        stage: _stage(stage, _block(node), entries, tuple(cards.entries))
        for stage, node in _section(root, "stages").entries.items()
    }
    without = _words(plan.entries["without"]) if "without" in plan.entries else ()
    _check_groups(stages, without, plan)
    _check_relatives(stages)
    title = root.entries.get("title")
    return PlanFile(name, _text(title) if title else "", stages, tuple(cards.entries), without, entries, root)


def _section(root: Block, name: str) -> Block:
    if name not in root.entries:
        raise root.place.missing(name, f"The section {name!r} is missing.")
    section = _block(root.entries[name])
    if not section.entries:
        raise section.place.error("It is empty.")
    return section


def _block(node: Node) -> Block:
    if not isinstance(node, Block):
        raise node.place.error("A mapping of names to figures is wanted.")
    return node


def _text(node: Node) -> str:
    if not isinstance(node, Scalar):
        raise node.place.error("A single value is wanted.")
    return " ".join(node.text.split())


def _words(node: Node) -> tuple[str, ...]:
    return tuple(_text(item) for item in node.items) if isinstance(node, Listing) else (_text(node),)


def _check_name(name: str, node: Node) -> None:
    if not (name.isidentifier() and name.isascii()):
        raise node.place.error(
            f"{name!r} is no name. Legal: letters, digits and _, so that formulas can use it."
        )


def _figures(
    entries: dict[str, Entry],
    block: Block,
    prefix: str,
    fields: Mapping[str, Field],
    required: tuple[str, ...],
    also: tuple[str, ...] = (),
) -> None:
    """Read the figures of a block into ``entries``; those ``required`` must be there, ``also`` is for the caller."""
    for key, node in block.entries.items():
        if key in also:
            continue
        if key not in fields:
            raise node.place.unknown("figure", key, (*fields, *also))
        entries[f"{prefix}.{key}"] = read_entry(f"{prefix}.{key}", node, fields[key])
    for key in required:
        if key not in block.entries:
            may = "" if key in NEVER_UNKNOWN else " Where nobody knows it, write 'unknown'."
            raise block.place.missing(key, f"{key} ({fields[key].meaning}) is missing.{may}")


def _card_fields(node: Node) -> dict[str, Field]:
    """Return the fields of a card, the price in the currency that it is given in."""
    price = _block(node).entries.get("price")
    inner = price.entries.get("value") if isinstance(price, Block) else price
    words = inner.text if isinstance(inner, Scalar) else ""
    currency = next((known for known in CURRENCIES if known in words), CURRENCIES[0])
    return CARD_FIELDS | {"price": Field("price", f"{currency}/GPU-h", zero=True)}


def _stage(name: str, block: Block, entries: dict[str, Entry], cards: tuple[str, ...]) -> Stage:
    _check_name(name, block)
    if name in RESERVED:
        raise block.place.error(f"A stage cannot be called {name!r}; formulas use that name for a section.")
    for word in ("kind", "group", "gpu"):
        if word not in block.entries:
            raise block.place.missing(word, f"{word} is missing.")
    kind, group = _chosen(block, "kind", tuple(KINDS)), _chosen(block, "group", tuple(GROUPS))
    gpu = block.entries["gpu"]
    named = _words(gpu)
    for card in named:
        if card not in cards:
            raise gpu.place.unknown("card", card, cards)
    if not named:
        raise gpu.place.error("No card is named.")
    _figures(entries, block, name, STAGE_FIELDS, KINDS[kind], also=WORDS)
    words = {word: _text(block.entries[word]) for word in WORDS if word in block.entries and word != "gpu"}
    figures = tuple(key for key in block.entries if key not in WORDS)
    title = words.get("title", name)
    note, relative = words.get("note", ""), words.get("relative_to", "")
    return Stage(name, block.place, title, note, kind, group, named, relative, figures)


def _chosen(block: Block, word: str, legal: tuple[str, ...]) -> str:
    node = block.entries[word]
    value = _text(node)
    if value not in legal:
        raise node.place.unknown(word, value, legal)
    return value


def _check_groups(stages: Mapping[str, Stage], without: tuple[str, ...], plan: Block) -> None:
    """Hold the stages against the terms of the total: one without a stage is left out on purpose or not at all."""
    there = {stage.group for stage in stages.values()}
    for group in without:
        if group not in GROUPS:
            raise plan.entries["without"].place.unknown("group", group, GROUPS)
        if group in there:
            raise plan.entries["without"].place.error(f"There are stages of the group {group!r}.")
    for group in GROUPS:
        if group not in there and group not in without:
            raise plan.place.error(
                f"No stage is of the group {group!r}, a term of the total. Add one, or say 'without: [{group}]'."
            )


def _check_relatives(stages: Mapping[str, Stage]) -> None:
    for stage in stages.values():
        if stage.relative_to and stage.relative_to not in stages:
            raise stage.place.unknown("stage", stage.relative_to, stages)
