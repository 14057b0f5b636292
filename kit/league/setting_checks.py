"""Checks of single settings: whole numbers, numbers, and the names of a class's options."""

from __future__ import annotations

import math
from collections.abc import Iterable
from inspect import Parameter, signature

from kit.errors import UnknownNameError, UsageError


def whole_number(name: str, value: object, least: int | None = None) -> None:
    """Refuse what is no int, or less than ``least``; raises UsageError, which names the setting."""
    bound = "" if least is None else f" of at least {least}"
    if not isinstance(value, int) or isinstance(value, bool) or (least is not None and value < least):
        raise UsageError(f"{name} must be a whole number{bound}, not {value!r}.")


def number(name: str, value: object, *, above: bool = True) -> None:
    """Refuse what is no finite number above 0, or at least 0 if not ``above``; raises UsageError."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not (value > 0 if above else value >= 0):  # type: ignore[operator]
        raise UsageError(
            f"{name} must be a finite number {'above' if above else 'of at least'} 0, not {value!r}."
        )


def option_names(setting: str, kind: type, given: Iterable[str], own: Iterable[str] = ()) -> None:
    """Refuse names in ``given`` that ``kind`` takes no argument of; ``own`` ones are not the user's to give.

    Raises:
        UnknownNameError: lists those that it takes, and the nearest.
    """
    parameters = signature(kind).parameters.values()
    named = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    legal = {one.name for one in parameters if one.kind in named} - set(own)
    if any(one.kind is Parameter.VAR_KEYWORD for one in parameters):
        return
    for name in given:
        if name not in legal:
            raise UnknownNameError(f"key of {setting} ({kind.__name__})", name, legal)
