"""How long an upload may take: by its size, at the slowest pace that is worth waiting for."""

from __future__ import annotations

BEGIN_S = 900.0
"""For what does not grow with the size: starting the client, its calls, what it tries again by itself."""
SLOWEST_BYTES_PER_S = 500_000.0
"""4 Mbit/s. 20 GB, the most that a session leaves, take eleven hours at that, about as long as the session did."""


def upload_limit_s(size_bytes: int) -> float:
    """Return the seconds that an upload of that size may take in all."""
    return BEGIN_S + size_bytes / SLOWEST_BYTES_PER_S
