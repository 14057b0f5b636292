"""What ``import kit`` costs, and that it stays light: at most 0.2 s, without torch."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import Any

REPEATS = 9


def main() -> list[dict[str, Any]]:
    """Start Python with and without the import, in turn; return the difference."""
    with_kit, bare = [], []
    for _ in range(REPEATS):
        with_kit.append(_seconds("import kit"))
        bare.append(_seconds("pass"))
    probe = "import kit, sys; sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    if subprocess.run([sys.executable, "-c", probe], check=False).returncode:
        raise SystemExit("import kit pulls in torch or matplotlib")
    value = statistics.median(with_kit) - statistics.median(bare)
    print(f"import kit: {value * 1e3:.1f} ms on top of Python's own start; no torch, no matplotlib")
    return [
        {"name": "import kit", "value": value, "unit": "s", "against": "bar: 0.2 s", "ratio": value / 0.2}
    ]


def _seconds(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
