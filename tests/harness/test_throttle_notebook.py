"""The throttle inside a real notebook kernel."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]

CELLS = [
    """
import logging, sys
from kit.harness.throttle import LogThrottle
throttle = LogThrottle().install()
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
""",
    """
for step in range(500):
    throttle.step(step)
    print("[QUEUE_DIAGNOSTIC] printed", step, flush=True)
    logging.getLogger("environment").info("[REWARD_MICROSCOPE] logged %d", step)
print("partial", end="")
""",
    """
sys.stdout.flush()
print(" and its end", flush=True)
display({"text/plain": "FIGURE"}, raw=True)
print("after the figure", flush=True)
print("[STATE_HASH] 1\\n[STATE_HASH] 2")
throttle.uninstall()
print("[STATE_HASH] free again")
""",
]


def test_an_installed_throttle_holds_in_a_kernel(tmp_path: Path) -> None:
    """As ipykernel's sys.stdout, across cells, it throttles prints and records, and gives the last value."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(notebook, tmp_path / "in.ipynb")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "papermill",
            "--no-progress-bar",
            tmp_path / "in.ipynb",
            tmp_path / "out.ipynb",
        ],
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        timeout=120,
    )
    cells = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    text = ["".join(output.get("text", "FIGURE\n") for output in cell.outputs) for cell in cells]
    assert text[1].splitlines() == [
        "[QUEUE_DIAGNOSTIC] printed 0",
        *(f"[REWARD_MICROSCOPE] logged {step}" for step in (0, 100, 200)),
        "[QUEUE_DIAGNOSTIC] printed 250",
        *(f"[REWARD_MICROSCOPE] logged {step}" for step in (300, 400)),
        "partial",
    ]
    assert text[2].splitlines()[:3] == [" and its end", "FIGURE", "after the figure"]
    assert "[STATE_HASH] 1" not in text[2]
    assert "\n[STATE_HASH] 2\n" in text[2]
    assert "[THROTTLE] dropped" in text[2]
    assert text[2].endswith("[STATE_HASH] free again\n")
