"""Whether SUMO is installed; tests that need it are skipped where it is not."""

import importlib.util

import pytest

missing = [p for p in ("libsumo", "sumo", "sumo_rl") if importlib.util.find_spec(p) is None]
needs_sumo = pytest.mark.skipif(
    bool(missing), reason=f"{', '.join(missing)} not installed: pip install -r requirements-sumo.txt"
)
