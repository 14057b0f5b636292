"""Sizes in bytes as people write them: 12GB, 500MiB, or a bare number."""

from __future__ import annotations

import math
import re

from kit.errors import UsageError

LEGAL_FORMS = "12GB, 1.5TB, 500MiB, or bytes, more than zero"
_DECIMAL = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
_BINARY = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_FORM = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([kmgt]?)(i?)(b?)", re.IGNORECASE)


def parse_size(text: str | float, name: str = "") -> int:
    """Return the bytes that ``text`` means: ``12GB`` (10^9), ``12G`` (the same), ``500MiB`` (2^20), ``4096``.

    Raises:
        UsageError: not a size, or not more than zero; the message has ``name``, the value and the legal forms.
    """
    match = None if isinstance(text, bool) else _FORM.fullmatch(str(text).strip())
    if match is None or (match[3] and not match[2]):
        raise _not_a_size(text, name)
    unit = match[2].lower()
    size = float(match[1]) * (_BINARY[unit] if match[3] else _DECIMAL[unit])
    if not math.isfinite(size) or size < 1:
        raise _not_a_size(text, name)
    return int(size)


def _not_a_size(given: object, name: str) -> UsageError:
    near = re.search(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt])", str(given).lower())
    nearest = f"{near[1]}{near[2].upper()}B" if near else None
    hint = f" Did you mean {nearest!r}?" if nearest else ""
    what = f"{name} is not a size" if name else "Not a size"
    return UsageError(f"{what}: {given!r}.{hint} Legal: {LEGAL_FORMS}.", nearest)


def format_size(size: float) -> str:
    """Write bytes for a message: ``512 B``, ``3.2 MB``, ``12.0 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
