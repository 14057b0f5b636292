"""Settings from the command line, ``key=value``: text becomes a value of the wanted type, or an error."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from kit.errors import UnknownNameError, UsageError
from kit.notebooks.parameters import Parameter, is_portable

TRUE = frozenset({"true", "yes", "1"})
FALSE = frozenset({"false", "no", "0"})
LARGEST_EXPONENT = 300  # beyond it an int would be written out digit by digit until memory is gone


def parse_settings(settings: Iterable[str], parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """Return the values of ``settings``, each ``name=text``, each of the type of that parameter's default.

    An int takes ``24_000`` and ``2e6`` where that is integral; a bool takes true, false, yes, no, 1 and 0; a
    list, a dict, and a parameter whose default is None take a literal. Nothing is guessed and nothing falls
    back to the default: raises UnknownNameError for a name the notebook does not have, and UsageError for
    text that has no ``=``, names a parameter twice, or does not read as the wanted type.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip()
        if not equals or not name:
            raise UsageError(f"Setting {setting!r} is not of the form name=value, for example seed=1.")
        if name not in parameters:
            raise UnknownNameError("parameter", name, parameters)
        if name in values:
            raise UsageError(f"Parameter {name!r} is set twice: give it once.")
        values[name] = _coerce(text, parameters[name])
    return values


def _coerce(text: str, parameter: Parameter) -> Any:
    read = READERS[parameter.type]
    try:
        return read(text if parameter.type is str else text.strip())
    except (ValueError, SyntaxError, TypeError, InvalidOperation, MemoryError, RecursionError) as error:
        raise UsageError(
            f"Parameter {parameter.name!r} got {text!r}; it wants {parameter.wants} "
            f"(default {parameter.default!r})."
        ) from error


def _bool(text: str) -> bool:
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise ValueError(text)


def _int(text: str) -> int:
    number = Decimal(text)
    if not number.is_finite() or number.adjusted() > LARGEST_EXPONENT or number != number.to_integral_value():
        raise ValueError(text)
    return int(number)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _literal(text: str) -> Any:
    value = ast.literal_eval(text)
    if not is_portable(value):
        raise ValueError(text)
    return value


def _container(kind: type) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = _literal(text)
        if not isinstance(value, kind):
            raise TypeError(text)
        return value

    return read


READERS: dict[type, Callable[[str], Any]] = {
    bool: _bool,
    int: _int,
    float: _float,
    str: str,
    list: _container(list),
    dict: _container(dict),
    type(None): _literal,
}
