"""The tensor codec: a tree of arrays and plain values as safetensors plus JSON, and back, exactly.

Trees hold dicts, lists, tuples, numpy arrays and scalars, torch tensors, bytes, str, int, float, bool and
None, and rows for a log (``AppendedRows``), of which only the place is encoded. No pickle is written, so reading a
tree back executes nothing.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors

from kit.appended import AppendedRows, LoggedRows
from kit.errors import IntegrityError
from kit.harness.segment_format import Frame

TENSORS_FILE = "tensors.safetensors"
STATE_FILE = "state.json"

PLAIN = frozenset({bool, bytes, float, int, str, type(None)})
"""What cannot change and holds nothing: a generator's state has hundreds of them, and a snapshot passes quickly."""
_NOT_ENCODED = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    RuntimeError,
)
"""What json, base64, numpy and torch raise on values that ``encode`` never wrote."""
_TEXT_DTYPE = re.compile(r"[<>|=]?([US])([0-9]{1,9})")

MOST_TEXT = 2**24
"""Characters that a text array may hold, its padding included."""

ReadLog = Callable[[str], Iterator[Frame]]
"""Yields the frames of the log of a name."""


def _no_log(name: str) -> Iterator[Frame]:
    raise KeyError(f"no log {name!r} was handed in beside the files")


def encode(tree: Any) -> dict[str, bytes]:
    """Return the files that hold ``tree``: ``tensors.safetensors`` and ``state.json``.

    Raises:
        TypeError: for a value that has no exact form here, naming its place in the tree.
    """
    arrays: dict[str, np.ndarray] = {}
    plain = _encode(tree, "", arrays)
    text = json.dumps(plain, separators=(",", ":"), allow_nan=True)
    return {TENSORS_FILE: save_safetensors(arrays), STATE_FILE: text.encode()}


def decode(files: Mapping[str, bytes], read_log: ReadLog = _no_log) -> Any:
    """Return the tree that ``encode`` was given; arrays come back as numpy, torch tensors as torch.

    Appended rows come back as LoggedRows, which read the log of their name by ``read_log`` when they are iterated.
    Nothing larger comes out than what went in: each array is handed out once.

    Raises:
        IntegrityError: the files are not what ``encode`` gives.
    """
    try:
        arrays = load_safetensors(bytes(files[TENSORS_FILE]))
        return _decode(json.loads(bytes(files[STATE_FILE]).decode()), arrays, read_log)
    except (*_NOT_ENCODED, SafetensorError) as error:
        kind = type(error).__name__
        raise IntegrityError(f"{STATE_FILE} and {TENSORS_FILE} are no state: {kind}: {error}.") from error


def appended(tree: Any) -> list[AppendedRows]:
    """Return the rows in ``tree`` that a checkpoint has to append to logs."""
    if isinstance(tree, AppendedRows):
        return [tree]
    branches = tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list | tuple) else ()
    return [rows for branch in branches if type(branch) not in PLAIN for rows in appended(branch)]


def snapshot(tree: Any) -> Any:
    """Return a copy of ``tree`` that later steps cannot change: arrays and tensors are copied in memory."""
    if type(tree) in PLAIN:
        return tree
    if isinstance(tree, np.ndarray):
        return tree.copy()
    if _is_tensor(tree):
        return tree.detach().cpu().clone()
    if isinstance(tree, Mapping):
        return {key: snapshot(value) for key, value in tree.items()}
    if isinstance(tree, tuple):
        return tuple(snapshot(value) for value in tree)
    if isinstance(tree, list):
        return [snapshot(value) for value in tree]
    return tree


def _is_tensor(value: Any) -> bool:
    return type(value).__module__.startswith("torch") and hasattr(value, "detach")


def _encode(value: Any, place: str, arrays: dict[str, np.ndarray]) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.generic | np.ndarray):
        return _encode_array(np.asarray(value), place, arrays, scalar=isinstance(value, np.generic))
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if _is_tensor(value):
        return _encode_tensor(value, place, arrays)
    if isinstance(value, AppendedRows):
        return {"$appended": value.log, "keep_from": value.keep_from, "end": value.end}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return _encode_mapping(value, place, arrays)
    if isinstance(value, tuple):
        return {"$tuple": [_encode(item, f"{place}/{i}", arrays) for i, item in enumerate(value)]}
    if isinstance(value, list):
        return [_encode(item, f"{place}/{i}", arrays) for i, item in enumerate(value)]
    raise TypeError(f"{place or 'the tree'}: a {type(value).__qualname__} has no exact form in a checkpoint")


def _encode_array(array: np.ndarray, place: str, arrays: dict[str, np.ndarray], *, scalar: bool) -> Any:
    if array.dtype == object:
        raise TypeError(f"{place}: an array of objects has no exact form in a checkpoint")
    if array.dtype.kind in "US":
        return {"$text_array": array.tolist(), "dtype": array.dtype.str}
    key = place or "/"
    arrays[key] = np.ascontiguousarray(array).reshape(array.shape)
    return {"$scalar" if scalar else "$array": key}


def _encode_tensor(value: Any, place: str, arrays: dict[str, np.ndarray]) -> Any:
    import torch

    tensor = value.detach().cpu()
    if tensor.dtype == torch.bfloat16:  # numpy has no bfloat16: carried as its bits
        arrays[place or "/"] = tensor.contiguous().view(torch.int16).numpy()
        return {"$tensor": place or "/", "dtype": "bfloat16"}
    arrays[place or "/"] = np.ascontiguousarray(tensor.numpy()).reshape(tuple(tensor.shape))
    return {"$tensor": place or "/"}


def _encode_mapping(value: Mapping[Any, Any], place: str, arrays: dict[str, np.ndarray]) -> Any:
    if all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {key: _encode(item, f"{place}/{_escaped(key)}", arrays) for key, item in value.items()}
    pairs = [
        [_encode(key, f"{place}/{i}k", arrays), _encode(item, f"{place}/{i}", arrays)]
        for i, (key, item) in enumerate(value.items())
    ]
    return {"$items": pairs}


def _escaped(key: str) -> str:
    """Return a key as a JSON pointer has it (RFC 6901): a slash in it must not look like one between two keys."""
    return key.replace("~", "~0").replace("/", "~1")


def _decode(value: Any, arrays: dict[str, np.ndarray], read_log: ReadLog) -> Any:
    if isinstance(value, list):
        return [_decode(item, arrays, read_log) for item in value]
    if not isinstance(value, dict):
        return value
    tag = next(iter(value), "")
    if not tag.startswith("$"):
        return {key: _decode(item, arrays, read_log) for key, item in value.items()}
    return _decode_tagged(tag, value, arrays, read_log)


def _decode_tagged(tag: str, value: dict[str, Any], arrays: dict[str, np.ndarray], read_log: ReadLog) -> Any:
    body = value[tag]
    if tag == "$appended":
        return LoggedRows(body, value["keep_from"], value["end"], read_log)
    if tag == "$array":
        return arrays.pop(body).copy()  # safetensors hands out read-only views of its buffer
    if tag == "$scalar":
        return arrays.pop(body)[()]
    if tag == "$tensor":
        import torch

        tensor = torch.from_numpy(arrays.pop(body).copy())
        return tensor.view(torch.bfloat16) if value.get("dtype") == "bfloat16" else tensor
    if tag == "$float":
        return float(body)
    if tag == "$bytes":
        return base64.b64decode(body)
    if tag == "$tuple":
        return tuple(_decode(item, arrays, read_log) for item in body)
    if tag == "$items":
        return {_decode(key, arrays, read_log): _decode(item, arrays, read_log) for key, item in body}
    if tag == "$text_array":
        return _text_array(body, value["dtype"])
    raise ValueError(f"unknown tag {tag!r} in a checkpoint's {STATE_FILE}")


def _text_array(items: Any, dtype: str) -> np.ndarray:
    """Return an array of strings; raises ValueError where its type would make it far larger than its items are."""
    match = _TEXT_DTYPE.fullmatch(dtype)
    count = np.array(items, dtype=object).size
    if match is None or int(match[2]) * max(1, count) > MOST_TEXT:
        raise ValueError(f"{dtype!r} is no type of a text array, or it would not fit")
    return np.array(items, dtype=dtype)
