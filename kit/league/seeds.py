"""Seeds: independent random numbers for everything that happens in a league, as a function of what it is."""

from __future__ import annotations

from hashlib import sha256


def derived_seed(*parts: int | str) -> int:
    """Return a seed of 63 bits for ``parts``, such as (league seed, "game", 17) or (game seed, "move", 3).

    The first bytes of SHA-256 over the parts: other parts, other numbers; the same parts, the same number on every
    machine, in every process, whatever was drawn before.
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") >> 1
