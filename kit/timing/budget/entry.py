"""An entry: one figure as the file gives it, read and checked for itself, before any formula is evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from kit.errors import UsageError
from kit.timing.budget.fields import NEVER_UNKNOWN, Field
from kit.timing.budget.formula import Formula, parse_formula
from kit.timing.budget.place import Place
from kit.timing.budget.quantity import Quantity, parse_quantity, wanted
from kit.timing.budget.units import PLAIN, in_words
from kit.timing.budget.yaml_file import Block, Listing, Node, Scalar

ESTIMATED, MEASURED, PROJECTED = "estimated", "measured", "projected"
MARKS = {
    ESTIMATED: "somebody's figure, or a formula over such",
    MEASURED: "taken by a probe on the machine named beside it",
    PROJECTED: "computed from at least one measured figure",
}
UNKNOWN = "unknown"
KEYS = ("value", "mark", "source", "date", "machine", "assumed", "elsewhere", "projection", "was")
_NOTHING = ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True)
class Entry:
    """A figure of the file.

    Attributes:
        field: what it is; None for a figure of the author's own under ``figures``.
        literal: its value, None for a formula and for what is said to be unknown.
        formula: how it follows from others, if it does.
        projections: formulas that take its place once one of their figures is measured, the first such.
        assumed: why there is a value although the plan has none.
        elsewhere: what the plan says of the same figure at another place.
        was: what stood there before a probe.
    """

    name: str
    place: Place
    field: Field | None
    literal: Quantity | None
    formula: Formula | None
    projections: tuple[Formula, ...] = ()
    mark: str = ESTIMATED
    source: str = ""
    date: str = ""
    machine: str = ""
    assumed: str = ""
    elsewhere: Quantity | None = None
    was: str = ""

    @property
    def unknown(self) -> bool:
        """Whether the file says that nobody knows it."""
        return self.literal is None and self.formula is None

    def check(self, quantity: Quantity) -> Quantity:
        """Return ``quantity``, which is to be its value. Raises UsageError for a wrong kind of quantity."""
        try:
            check_quantity(self.field, quantity)
        except UsageError as error:
            raise self.place.wrap(error) from error
        return quantity


def check_quantity(field: Field | None, quantity: Quantity) -> None:
    """Hold a value against its field.

    Raises:
        UsageError: It is negative, of another dimension, not whole, or counts other things.
    """
    if quantity.low < 0:
        raise UsageError(f"It comes to {quantity.low:g}, but no figure of a budget is negative.")
    if field is None:
        return
    if quantity.dimension != field.dimension:
        raise UsageError(
            f"It is {in_words(quantity.dimension)} and has the wrong unit: {wanted(field.dimension)}"
        )
    if quantity.noun and quantity.noun not in field.nouns and field.dimension == PLAIN:
        legal = ", ".join(field.nouns) or "no unit"
        raise UsageError(f"It counts {quantity.noun!r}, but {field.meaning} is wanted. Legal: {legal}.")
    if not field.zero and not quantity.low:
        raise UsageError(f"{field.meaning[0].upper()}{field.meaning[1:]}: more than zero is wanted.")
    if field.whole and (quantity.low < 1 or quantity.low % 1 or quantity.high % 1):
        raise UsageError(f"{field.meaning[0].upper()}{field.meaning[1:]} are whole numbers, from 1 on.")


def read_entry(name: str, node: Node, field: Field | None) -> Entry:
    """Read one figure: a value (``10 h``), a formula (``= a * b``), ``unknown``, or a mapping of KEYS.

    Raises:
        UsageError: Names file, line and figure.
    """
    place = node.place
    given = _keys(node)
    value = given.get("value")
    if value is None or value.text in _NOTHING:
        raise place.error(f"It has no value. Give one such as '10 h', or write {UNKNOWN!r}.")
    try:
        literal, formula = _value(value.text, field)
        elsewhere = parse_quantity(given["elsewhere"].text) if "elsewhere" in given else None
        if elsewhere is not None:
            check_quantity(field, elsewhere)
        projections = tuple(parse_formula(text) for text in _projections(node))
    except UsageError as error:
        raise place.wrap(error) from error
    if value.text == UNKNOWN and name.rpartition(".")[2] in NEVER_UNKNOWN:
        raise place.error(f"It cannot be {UNKNOWN!r}: the total depends on it.")
    words = {key: given[key].text for key in ("source", "date", "machine", "assumed", "was") if key in given}
    mark = given["mark"].text if "mark" in given else ESTIMATED
    entry = Entry(name, place, field, literal, formula, projections, mark, elsewhere=elsewhere, **words)
    _check_mark(entry)
    return entry


def check_date(text: str) -> str:
    """Return the day of an ISO date or time. Raises UsageError where it is none."""
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError as error:
        raise UsageError(f"{text!r} is no date. Legal: 2026-11-21.") from error


def _keys(node: Node) -> dict[str, Scalar]:
    if isinstance(node, Scalar):
        return {"value": node}
    if isinstance(node, Listing):
        raise node.place.error("A list is no figure.")
    for key, inner in node.entries.items():
        if key not in KEYS:
            raise inner.place.unknown("key", key, KEYS)
        if key != "projection" and not isinstance(inner, Scalar):
            raise inner.place.error("A single value is wanted.")
    return {key: inner for key, inner in node.entries.items() if isinstance(inner, Scalar)}


def _projections(node: Node) -> list[str]:
    given = node.entries.get("projection") if isinstance(node, Block) else None
    if given is None:
        return []
    items = given.items if isinstance(given, Listing) else (given,)
    texts = [item.text for item in items if isinstance(item, Scalar)]
    if len(texts) != len(items) or not texts:
        raise UsageError("projection: a formula is wanted, or a list of formulas.")
    return [text.lstrip("= ") for text in texts]


def _value(text: str, field: Field | None) -> tuple[Quantity | None, Formula | None]:
    if text == UNKNOWN:
        return None, None
    if text.startswith("="):
        return None, parse_formula(text[1:])
    quantity = parse_quantity(text)
    if field and field.dimension and quantity.dimension == PLAIN and not quantity.noun:
        raise UsageError(f"{text!r} has no unit: {wanted(field.dimension)}")
    if field and "%" in field.nouns and not quantity.noun:
        raise UsageError(f"{text!r} has no unit. Legal: {text} % or {text} x.")
    check_quantity(field, quantity)
    return quantity, None


def _check_mark(entry: Entry) -> None:
    if entry.mark not in MARKS:
        raise entry.place.unknown("mark", entry.mark, MARKS)
    if entry.date:
        try:
            check_date(entry.date)
        except UsageError as error:
            raise entry.place.wrap(error) from error
    if entry.mark == MEASURED:
        if entry.literal is None:
            raise entry.place.error("A measured figure is a value, no formula and not unknown.")
        if not (entry.source and entry.date):
            raise entry.place.error("A measured figure says where it is from: source and date.")
    if entry.formula is not None and entry.mark != ESTIMATED:
        raise entry.place.error("The mark of a formula follows from its figures; leave 'mark' out.")
