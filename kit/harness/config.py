"""What decides a run's results, as a hash: a checkpoint is resumed only by the configuration that wrote it."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import types
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from kit.errors import ConfigMismatchError

MISSING = "(not set)"
_open: ContextVar[frozenset[int]] = ContextVar("_open", default=frozenset())
"""The objects whose state is being described: one that holds itself ends there."""


def describe(value: Any) -> Any:
    """Return a JSON value that stands for ``value``: the same in every process that means the same thing.

    Classes and functions become their qualified name (a function also a hash of its code and of what it
    closes over, so that an edited reward or schedule counts as another configuration), a bound method also the
    object it is bound to; arrays a hash of their content, other objects their ``repr``, or where that is only an
    address their class and attributes.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))  # NaN differs from itself, and JSON has neither
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {
            str(key): describe(item) for key, item in sorted(value.items(), key=lambda pair: str(pair[0]))
        }
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((describe(item) for item in value), key=str)
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"type": type(value).__qualname__, **describe(dataclasses.asdict(value))}
    return _describe_code(value)


def _describe_code(value: Any) -> Any:
    name = f"{getattr(value, '__module__', '?')}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    code = getattr(value, "__code__", None)
    if code is not None:
        facts = json.dumps([_describe_bytecode(code), *_describe_bound(value)], sort_keys=True)
        text = f"{name}#{hashlib.sha256(facts.encode()).hexdigest()[:12]}"
        bound = isinstance(value, types.MethodType)
        return {"method": text, "of": describe(value.__self__)} if bound else text
    if isinstance(value, type):
        return name
    if isinstance(value, functools.partial):
        parts = {"partial": value.func, "args": value.args, "keywords": value.keywords}
        return describe(parts)
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        return item()
    if callable(getattr(value, "tobytes", None)) and hasattr(value, "shape"):
        digest = hashlib.sha256(value.tobytes()).hexdigest()[:12]  # its repr leaves out the middle
        return f"array {value.dtype} {tuple(value.shape)} #{digest}"
    text = repr(value)
    return _describe_state(value, name) if " at 0x" in text else text


def _describe_state(value: Any, name: str) -> Any:
    """Return an object's class with its attributes, and what it does when it is called; its class alone for none."""
    state = {key: getattr(value, key) for key in _slots_of(type(value)) if hasattr(value, key)}
    state.update(getattr(value, "__dict__", {}))
    called = getattr(type(value), "__call__", None)  # noqa: B004 - its code is what is wanted
    if isinstance(called, types.FunctionType):
        state["__call__"] = called
    if not state or id(value) in _open.get():
        return name
    token = _open.set(_open.get() | {id(value)})
    try:
        return {"type": name, "state": describe(state)}
    finally:
        _open.reset(token)


def _slots_of(kind: type) -> list[str]:
    """Return the names of the slots of a class and its bases, in the order in which they are defined."""
    found: list[str] = []
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        found += [slots] if isinstance(slots, str) else list(slots)
    return [name for name in found if name not in ("__dict__", "__weakref__")]


def _describe_bytecode(code: types.CodeType) -> list[Any]:
    """Return what a function does: instructions, the names they use, constants, inner functions included."""
    constants = [
        _describe_bytecode(item) if isinstance(item, types.CodeType) else repr(describe(item))
        for item in code.co_consts
    ]
    return [code.co_code.hex(), list(code.co_names), constants]


def _describe_bound(function: Any) -> list[Any]:
    """Return the values that a function has taken along: defaults and what it closes over."""
    closed = [_describe_cell(cell) for cell in getattr(function, "__closure__", None) or ()]
    return [describe(function.__defaults__), describe(function.__kwdefaults__), closed]


def _describe_cell(cell: types.CellType) -> Any:
    try:
        value = cell.cell_contents
    except ValueError:  # a name that is bound later
        return None
    code = getattr(value, "__code__", None)
    if code is None or isinstance(value, types.MethodType):
        return describe(value)
    return _describe_bytecode(code)  # no deeper: it may close over itself


def config_hash(config: Mapping[str, Any]) -> str:
    """Return 16 hex digits that two equal configurations share (SHA-256 of their canonical JSON)."""
    canonical = json.dumps(describe(config), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def differences(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the settings that differ, dotted, each with (value there, value wanted)."""
    left, right = _flat(describe(there)), _flat(describe(wanted))
    names = sorted(left.keys() | right.keys())
    return {
        name: (left.get(name, MISSING), right.get(name, MISSING))
        for name in names
        if left.get(name, MISSING) != right.get(name, MISSING)
    }


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict) or not tree:
        return {prefix or "config": tree}
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat.update(_flat(value, f"{prefix}.{key}" if prefix else key))
    return flat


def refuse_other_config(where: Path, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise ConfigMismatchError naming each setting that differs; return when none does."""
    differing = differences(there, wanted)
    if not differing:
        return
    lines = [f"  {name}: {old!r} there, {new!r} asked for" for name, (old, new) in differing.items()]
    raise ConfigMismatchError(
        f"{where} holds a run with other settings, so it is not resumed:\n"
        + "\n".join(lines)
        + "\nNothing was changed. Give the settings of that run, another --out, or --fresh to move it aside.",
        differing,
    )
