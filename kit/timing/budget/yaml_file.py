"""A YAML file as text with places: what it holds, on which line, and between which characters.

PyYAML reads it; only nodes are used, so every value stays the text that its author wrote, and can be replaced where it
stands without touching a comment. Anchors and duplicate keys are refused: a figure has one place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from kit.errors import UsageError
from kit.timing.budget.place import Place

DEEPEST = 8


@dataclass(frozen=True)
class Scalar:
    """A value: its text, and the characters ``start`` to ``end`` of the file that it takes."""

    text: str
    place: Place
    start: int
    end: int


@dataclass(frozen=True)
class Listing:
    """A list of nodes; ``flow`` if in brackets."""

    items: tuple[Node, ...]
    place: Place
    start: int
    end: int
    flow: bool


@dataclass(frozen=True)
class Block:
    """A mapping in the order of the file; ``columns`` says how far each key is indented, ``flow`` if in braces."""

    entries: dict[str, Node]
    place: Place
    start: int
    end: int
    flow: bool
    columns: dict[str, int] = field(default_factory=dict)


Node = Scalar | Listing | Block


class _UnwantedError(ValueError):
    """YAML that a budget has no use for, and the line it is on."""

    def __init__(self, text: str, line: int) -> None:
        super().__init__(text)
        self.line = line


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """Composes nodes; refuses anchors, aliases and deep nesting before a tree is built of them."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        event = self.peek_event()
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _UnwantedError("Anchors and aliases are not read here.", line)
        self.depth += 1
        if self.depth > DEEPEST:
            raise _UnwantedError(f"Nested more than {DEEPEST} deep.", line)
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def read_text(path: Path) -> str:
    """Return the text of a file, line ends as they are. Raises UsageError where there is none to read."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text: byte {error.start}.") from error


def parse_yaml(text: str, name: str) -> Block:
    """Return the mapping that a YAML text is.

    Raises:
        UsageError: It is none, cannot be read, uses an anchor, or gives a key twice; names file and line.
    """
    place = Place(name)
    try:
        root = yaml.compose(text, Loader=_Loader)
    except _UnwantedError as error:
        raise Place(name, error.line).error(str(error)) from error
    except yaml.YAMLError as error:
        raise _not_yaml(error, name) from error
    if not isinstance(root, yaml.MappingNode):
        raise place.error("A budget is a mapping: plan, cards, stages, …")
    node = _node(root, place)
    assert isinstance(node, Block)
    return node


def _not_yaml(error: yaml.YAMLError, name: str) -> UsageError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return Place(name, mark.line + 1 if mark else 0).error(f"It is not YAML: {problem}.")


def _node(node: yaml.Node, place: Place) -> Node:
    start, end = node.start_mark.index, node.end_mark.index
    if isinstance(node, yaml.ScalarNode):
        return Scalar(node.value, place, start, end)
    if isinstance(node, yaml.SequenceNode):
        items = (_node(item, Place(place.file, item.start_mark.line + 1, place.path)) for item in node.value)
        return Listing(tuple(items), place, start, end, bool(node.flow_style))
    entries: dict[str, Node] = {}
    columns: dict[str, int] = {}
    for key, value in node.value:
        name, line = str(getattr(key, "value", "")), key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or name in entries:
            raise place.below(name, line).error("It is there twice." if name in entries else "It is no name.")
        entries[name] = _node(value, place.below(name, line))
        columns[name] = key.start_mark.column
    return Block(entries, place, start, end, bool(node.flow_style), columns)
