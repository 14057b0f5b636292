"""What decides a scenario's demand beside its name, for the identity of a run."""

from __future__ import annotations

import hashlib
from pathlib import Path


def fingerprint(scenario: str | Path) -> str:
    """Return the SHA-256 of a CSV of counts, so that an edited file is another run; else the name itself."""
    path = Path(scenario)
    if path.suffix.lower() == ".csv" and path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return str(scenario)
