"""The tensor codec: a tree of arrays and plain values as safetensors plus JSON, and back, exactly.

Trees hold dicts, lists, tuples, numpy arrays and scalars, torch tensors, bytes, str, int, float, bool and
None. No pickle is written, so reading a tree back executes nothing.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors

TENSORS_FILE = "tensors.safetensors"
STATE_FILE = "state.json"


def encode(tree: Any) -> dict[str, bytes]:
    """Return the files that hold ``tree``: ``tensors.safetensors`` and ``state.json``.

    Raises:
        TypeError: for a value that has no exact form here, naming its place in the tree.
    """
    arrays: dict[str, np.ndarray] = {}
    plain = _encode(tree, "", arrays)
    text = json.dumps(plain, separators=(",", ":"), allow_nan=True)
    return {TENSORS_FILE: save_safetensors(arrays), STATE_FILE: text.encode()}


def decode(files: Mapping[str, bytes]) -> Any:
    """Return the tree that ``encode`` was given; arrays come back as numpy, torch tensors as torch."""
    arrays = load_safetensors(bytes(files[TENSORS_FILE]))
    return _decode(json.loads(bytes(files[STATE_FILE]).decode()), arrays)


def snapshot(tree: Any) -> Any:
    """Return a copy of ``tree`` that later steps cannot change: arrays and tensors are copied in memory."""
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
        return {key: _encode(item, f"{place}/{key}", arrays) for key, item in value.items()}
    pairs = [
        [_encode(key, f"{place}/{i}k", arrays), _encode(item, f"{place}/{i}", arrays)]
        for i, (key, item) in enumerate(value.items())
    ]
    return {"$items": pairs}


def _decode(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_decode(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    tag = next(iter(value), "")
    if not tag.startswith("$"):
        return {key: _decode(item, arrays) for key, item in value.items()}
    return _decode_tagged(tag, value, arrays)


def _decode_tagged(tag: str, value: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> Any:
    body = value[tag]
    if tag == "$array":
        return arrays[body].copy()  # safetensors hands out read-only views of its buffer
    if tag == "$scalar":
        return arrays[body][()]
    if tag == "$tensor":
        import torch

        tensor = torch.from_numpy(arrays[body].copy())
        return tensor.view(torch.bfloat16) if value.get("dtype") == "bfloat16" else tensor
    if tag == "$float":
        return float(body)
    if tag == "$bytes":
        return base64.b64decode(body)
    if tag == "$tuple":
        return tuple(_decode(item, arrays) for item in body)
    if tag == "$items":
        return {_decode(key, arrays): _decode(item, arrays) for key, item in body}
    if tag == "$text_array":
        return np.array(body, dtype=value["dtype"])
    raise ValueError(f"unknown tag {tag!r} in a checkpoint's {STATE_FILE}")
