"""The tables of docs/memory.md: for each model and card the longest sequence that trains with adapters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kit.timing.memory.estimate import Estimate, largest
from kit.timing.memory.generation import generation_memory, kv_bytes
from kit.timing.memory.shapes import SHAPES, TransformerShape
from kit.timing.memory.step import training_memory
from kit.timing.memory.training_setup import CHECKPOINTING, DTYPES, TrainingSetup

MODELS = {
    "Qwen3 1.7B": "qwen3-1.7b",
    "Llama 3.2 1B": "llama3.2-1b",
    "Llama 3.2 3B": "llama3.2-3b",
    "Qwen3 4B": "qwen3-4b",
    "Qwen3 8B": "qwen3-8b",
}
CARDS_GB = (12, 16, 24, 32, 48, 80)
T4_BYTES = 15 * 2**30
"""What a T4 shows to a process, of its 16 GB."""
SETUP = TrainingSetup(length=1, lora_rank=32)
"""Unstable Baselines' own settings: adapters of rank 32 on all seven projections, one sequence at a time."""
T4_SETUP = replace(SETUP, dtype="fp16", attention="efficient")
"""A T4 has neither bf16 nor the flash kernel."""
STEP_TOKENS = 64


def cell(shape: TransformerShape, setup: TrainingSetup, vram_bytes: int) -> dict[str, Any]:
    """Return the longest sequence, a multiple of ``STEP_TOKENS``, and its estimate.

    ``length`` is 0 where not even the shortest fits; then ``total_bytes`` is what that one needs.
    """

    def at(steps: int) -> Estimate:
        return training_memory(shape, replace(setup, length=steps * STEP_TOKENS))

    steps = largest(at, vram_bytes, shape.positions // STEP_TOKENS)
    length = steps * STEP_TOKENS
    return {
        "length": length,
        "total_bytes": at(max(1, steps)).total_bytes,
        "model_limit": length + STEP_TOKENS > shape.positions,
    }


def _row(card: str, vram_bytes: int, shape: TransformerShape, setup: TrainingSetup) -> dict[str, Any]:
    cells = {name: cell(shape, replace(setup, checkpointing=name), vram_bytes) for name in CHECKPOINTING}
    return {"card": card, "vram_bytes": vram_bytes, "cells": cells}


def actor_tokens(shape: TransformerShape, vram_bytes: int, dtype: str) -> int:
    """Return how many tokens of key-value cache one generating process has room for; 0: its weights do not fit."""
    left = vram_bytes - generation_memory(shape, length=1, batch=1, dtype=dtype).total_bytes
    return max(0, left // kv_bytes(shape, DTYPES[dtype]))


def memory_tables() -> list[dict[str, Any]]:
    """Return a table for each model: a row for each card, then the learner and the actor of a pair of T4."""
    tables = []
    for title, name in MODELS.items():
        shape = SHAPES[name]
        rows = [_row(f"{size} GB", size * 10**9, shape, SETUP) for size in CARDS_GB]
        rows.append(_row("T4 ×2, learner", T4_BYTES, shape, T4_SETUP))
        tokens = actor_tokens(shape, T4_BYTES, T4_SETUP.dtype)
        tables.append(
            {
                "model": title,
                "shape": name,
                "parameters": shape.parameters,
                "rows": rows,
                "t4_actor_tokens": tokens,
            }
        )
    return tables
