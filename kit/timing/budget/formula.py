"""A formula over other figures: + − * /, brackets, numbers with units, names; read by a parser of its own.

No Python is ever evaluated. ``sum = product {("+"|"-") product}``, ``product = factor {("*"|"/") factor}``,
``factor = "-" factor | "(" sum ")" | number [unit] | name``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from kit.errors import UsageError
from kit.timing.budget.quantity import Quantity
from kit.timing.budget.units import parse_unit

LONGEST = 200
DEEPEST = 20
Lookup = Callable[[str], Quantity]
Value = Callable[[Lookup], Quantity]
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?:\s*(?P<unit>GPU-h\b|%|[A-Za-z]+))?"
    r"|(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)|(?P<sign>[-+*/()]))"
)
_OPERATORS: dict[str, Callable[[Quantity, Quantity], Quantity]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


@dataclass(frozen=True)
class Formula:
    """A formula that was read: its text, the names it needs in order, and its value given theirs."""

    text: str
    names: tuple[str, ...]
    value: Value


def parse_formula(text: str) -> Formula:
    """Read a formula, without the ``=`` it begins with in a file.

    Raises:
        UsageError: It cannot be read; says at which word. Evaluating it raises UsageError for a sum of unlike
        dimensions and for a division by zero.
    """
    if len(text) > LONGEST:
        raise UsageError(f"A formula of {len(text)} characters; at most {LONGEST} are read.")
    reader = _Reader(text)
    value = reader.sum()
    if reader.token:
        raise reader.unexpected()
    return Formula(text.strip(), tuple(dict.fromkeys(reader.names)), value)


class _Reader:
    """Reads tokens from left to right; ``token`` is the one it stands at, "" at the end."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.names = text.rstrip(), 0, list[str]()
        self.match: re.Match[str] | None = None
        self.token, self.depth = "", 0
        self._next()

    def _next(self) -> None:
        if self.at >= len(self.text):
            self.token, self.match = "", None
            return
        self.match = _TOKEN.match(self.text, self.at)
        if self.match is None:
            rest = self.text[self.at :].strip()
            raise UsageError(
                f"{rest[:20]!r} has no meaning in a formula. Legal: + - * / ( ), numbers, names."
            )
        self.token, self.at = self.match[0].strip(), self.match.end()

    def unexpected(self) -> UsageError:
        where = f"{self.token!r} is not expected there" if self.token else "it ends too early"
        return UsageError(f"The formula {self.text.strip()!r} cannot be read: {where}.")

    def sum(self) -> Value:
        return self._chain(("+", "-"), self._product)

    def _product(self) -> Value:
        return self._chain(("*", "/"), self._factor)

    def _chain(self, signs: tuple[str, ...], part: Callable[[], Value]) -> Value:
        value = part()
        while self.token in signs:
            sign = self.token
            self._next()
            value = _both(_OPERATORS[sign], value, part())
        return value

    def _factor(self) -> Value:
        match, token = self.match, self.token
        if token == "-":
            self._next()
            inner = self._factor()
            return lambda lookup: -inner(lookup)
        if token == "(":
            return self._brackets()
        if match is None or match["sign"]:
            raise self.unexpected()
        self._next()
        if match["name"]:
            name = match["name"]
            self.names.append(name)
            return lambda lookup: lookup(name)
        return _constant(match)

    def _brackets(self) -> Value:
        self.depth += 1
        if self.depth > DEEPEST:
            raise UsageError(f"More than {DEEPEST} brackets within each other.")
        self._next()
        inner = self.sum()
        if self.token != ")":
            raise self.unexpected()
        self._next()
        self.depth -= 1
        return inner


def _both(how: Callable[[Quantity, Quantity], Quantity], left: Value, right: Value) -> Value:
    return lambda lookup: how(left(lookup), right(lookup))


def _constant(match: re.Match[str]) -> Value:
    unit = parse_unit(match["unit"] or "")
    number = float(match["number"]) * unit.factor
    constant = Quantity(number, number, unit.dimension)
    return lambda _lookup: constant
