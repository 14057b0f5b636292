"""Estimates of memory as text: the rows of one, and the tables of models by cards, for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kit.harness.size import format_size
from kit.report.terminal import as_text, plain_table

COLUMNS = {"none": "neither", "activation": "activation", "gradient": "gradient", "both": "both"}


def memory_text(found: Mapping[str, Any]) -> str:
    """Return an estimate's rows with their sum, when the peak is, and what fits."""
    table = plain_table(["term", "size", "why"], "lrl")
    for row in found["rows"]:
        mark = " (assumed)" if row["assumed"] else ""
        table.add_row(row["name"], format_size(row["bytes"]), row["reason"] + mark)
    table.add_row("in all", format_size(found["total_bytes"]), f"at its peak: {found['peak_at']}")
    head = f"{found['target']}: {found['parameters']:,} parameters, {found['what']}"
    return "\n".join([head, as_text(table), *_verdict(found)])


def _verdict(found: Mapping[str, Any]) -> list[str]:
    if found["fits"] is None:
        return []
    words = "FITS" if found["fits"] else "DOES NOT FIT"
    if "largest_length" not in found:
        return [f"{words} in {format_size(found['vram_bytes'])}"]
    length, batch = found["largest_length"], found["largest_batch"]
    most = [
        f"longest at this batch: {length:,} tokens" if length else "no length fits at this batch",
        f"largest batch at this length: {batch:,}" if batch else "no batch fits at this length",
    ]
    return [f"{words} in {format_size(found['vram_bytes'])}; {'; '.join(most)}"]


def tables_text(tables: Sequence[Mapping[str, Any]]) -> str:
    """Return the tables of all models for a terminal: longest sequence and its estimate in GB."""
    parts = []
    for one in tables:
        table = plain_table(["VRAM", *COLUMNS.values()], "lrrrr")
        for name, *cells in _lines(one):
            table.add_row(name, *cells)
        parts += [f"{one['model']} ({one['parameters']:,} parameters)", as_text(table), _actor(one)]
    return "\n".join(parts)


def tables_markdown(tables: Sequence[Mapping[str, Any]]) -> str:
    """Return the same tables for a page."""
    parts = []
    for one in tables:
        parts += [
            f"### {one['model']}",
            "",
            "| VRAM | " + " | ".join(COLUMNS.values()) + " |",
            "|---|" + "---:|" * len(COLUMNS),
        ]
        parts += ["| " + " | ".join(line) + " |" for line in _lines(one)]
        parts += ["", _actor(one), ""]
    return "\n".join(parts)


def _lines(table: Mapping[str, Any]) -> Iterator[list[str]]:
    for row in table["rows"]:
        yield [row["card"], *(_cell(row["cells"][name]) for name in COLUMNS)]


def _cell(found: Mapping[str, Any]) -> str:
    size = f"{found['total_bytes'] / 1e9:.1f} GB"
    if not found["length"]:
        return f"no: {size}"
    return f"{found['length']:,}{'*' if found['model_limit'] else ''} ({size})"


def _actor(table: Mapping[str, Any]) -> str:
    tokens = table["t4_actor_tokens"]
    if not tokens:
        return "The actor on the second T4: the weights do not fit."
    return f"The actor on the second T4: {tokens:,} tokens of KV cache beside the weights."
