"""Steps as arrays and back, exactly: a checkpoint holds thousands of them, with all their tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import chain
from typing import Any

import numpy as np

from kit.league.trajectory import Step

NUMBERS = {
    "game": np.int64,
    "pid": np.int64,
    "turn": np.int64,
    "policy_version": np.int64,
    "temperature": np.float64,
    "reward": np.float64,
    "format_ok": np.bool_,
    "legal": np.bool_,
}
SEQUENCES = {"prompt_ids": np.int64, "token_ids": np.int64, "logprobs": np.float64}
TEXTS = tuple(one.name for one in fields(Step) if one.name not in NUMBERS and one.name not in SEQUENCES)


def pack(steps: Sequence[Step]) -> dict[str, Any]:
    """Return the steps column by column, sequences end to end with their lengths, as kit.tensors takes them."""
    columns: dict[str, Any] = {name: [getattr(step, name) for step in steps] for name in TEXTS}
    for name, kind in NUMBERS.items():
        columns[name] = np.array([getattr(step, name) for step in steps], kind)
    for name, kind in SEQUENCES.items():
        values = [getattr(step, name) for step in steps]
        columns[name] = np.array(list(chain.from_iterable(values)), kind)
        columns[f"{name}_lengths"] = np.array([len(one) for one in values], np.int64)
    return columns


def unpack(columns: Mapping[str, Any]) -> list[Step]:
    """Return the steps that ``pack`` was given."""
    plain: dict[str, Iterable[Any]] = {name: columns[name] for name in TEXTS}
    plain |= {name: columns[name].tolist() for name in NUMBERS}
    for name in SEQUENCES:
        ends = np.cumsum(columns[f"{name}_lengths"]).tolist()
        values = columns[name].tolist()
        plain[name] = [tuple(values[a:b]) for a, b in zip([0, *ends], ends, strict=False)]
    names = list(plain)
    return [Step(**dict(zip(names, row, strict=True))) for row in zip(*plain.values(), strict=True)]
