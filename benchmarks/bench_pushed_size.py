"""The size of what is pushed, for every notebook of this repository: one file, with the whole kit in it.

As ``push --build-only`` builds it; beside it what the same file would have without the compression. A notebook may
have a megabyte on Kaggle.
"""

from __future__ import annotations

import base64
import json
import lzma
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.notebooks.document import Document
from kit.notebooks.launch import Launch
from kit.notebooks.locate import repository_root
from kit.remote.command_orders import kernel_order
from kit.remote.first_cell import TAG
from kit.remote.kernel import LARGEST
from kit.remote.push import PushOrder, build_only

OWNER = "bench"
_PAYLOAD = re.compile(r'_kit_payload = """\n([A-Za-z0-9+/=\s]+)\n"""')


@dataclass(frozen=True)
class Pushed:
    """The file of one notebook: its size in bytes, and what it would be with the payload uncompressed."""

    notebook: str
    size_bytes: int
    uncompressed_bytes: int


def main() -> list[dict[str, Any]]:
    """Build every notebook, print the sizes, and return the row of the largest."""
    notebooks = sorted((repository_root() / "notebooks").glob("*.ipynb"))
    with tempfile.TemporaryDirectory() as folder:
        found = [pushed(notebook, Path(folder)) for notebook in notebooks]
    for one in found:
        print(f"{one.notebook}: {one.size_bytes:,} bytes, uncompressed {one.uncompressed_bytes:,}")
    largest = max(found, key=lambda one: one.size_bytes)
    return [
        {
            "name": "pushed file, the largest",
            "value": largest.size_bytes / 1e6,
            "unit": "MB",
            "against": f"{largest.notebook}, of {len(found)} notebooks; uncompressed "
            f"{largest.uncompressed_bytes / 1e6:.2f} MB; bar {LARGEST / 1e6:.0f} MB",
            "ratio": largest.size_bytes / LARGEST,
        }
    ]


def pushed(notebook: Path, folder: Path) -> Pushed:
    """Build what is pushed of a notebook into a folder of its name, and measure the file."""
    order = PushOrder(kernel_order(Launch(notebook), owner=OWNER), folder / notebook.stem)
    built = Path(build_only(order)["folder"]) / notebook.name
    size, text = built.stat().st_size, _payload(built)
    packed = lzma.decompress(base64.b64decode(text))
    return Pushed(notebook.stem, size, size - len(text) + len(base64.b64encode(packed)))


def _payload(built: Path) -> str:
    """Return the base64 text of what travels in a built notebook."""
    cell = Document.read(built).tagged(TAG)[0]
    found = _PAYLOAD.search(cell.source)
    if found is None:
        raise SystemExit(f"{json.dumps(str(built))} carries no payload")
    return "".join(found[1].split())


if __name__ == "__main__":
    main()
