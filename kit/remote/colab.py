"""Colab: a self-contained notebook that opens there, keeps its run in the user's Drive, and offers the archive.

The notebook is the one that is pushed to Kaggle, with a badge in front, a cell that says whether the Drive is used, and
one at the end. Where it is opened outside of Colab, both do nothing.
"""

from __future__ import annotations

import importlib
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.errors import UsageError
from kit.harness.platform import DRIVE, detect
from kit.harness.store import atomic_write
from kit.opening import folder_of
from kit.remote.kernel import LARGEST, KernelOrder, self_contained
from kit.remote.settings import settings_of

logger = logging.getLogger(__name__)

BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
OPEN = "https://colab.research.google.com/github/{repository}/blob/{branch}/{place}"
CADENCE = {"checkpoint_min_s": 120.0, "export_min_s": 120.0, "keep": 5}
"""Unless the order says otherwise. A Drive uploads when it likes and keeps what was deleted: fewer files, and more
checkpoints of which one may have arrived whole."""
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")
_CHOICE = (
    "# Colab takes the machine away whenever it likes, and what was on it with it.\n"
    "use_drive = True  # keep the run in your Google Drive, and continue it from there; False: on the machine"
)


@dataclass(frozen=True)
class ColabOrder:
    """What to build.

    Attributes:
        notebook: the notebook, with one cell tagged ``parameters``.
        values: parameters that are set.
        options: options for its session; ``cadence`` is by default one that suits a Drive.
        repository: ``owner/name`` at GitHub where the built notebook will lie; empty: no badge.
        branch: of that repository.
        place: the folder in that repository where it will lie.
    """

    notebook: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    repository: str = ""
    branch: str = "main"
    place: str = "colab"


def build_colab(order: ColabOrder, folder: Path) -> Path:
    """Write the self-contained notebook into ``folder`` and return its path; one that is there is replaced.

    Raises:
        UsageError: a parameter or option cannot be used, a parameter is a secret, or the repository is no address.
        StorageError: the folder cannot be written.
    """
    options = {"cadence": CADENCE, **order.options}
    kernel = KernelOrder(order.notebook, owner="", values=order.values, options=options)
    built = self_contained(kernel, settings_of(order.notebook))
    if built.missing:
        logger.warning(
            "Colab's image has not got %s: install it in a cell.", ", ".join(map(str, built.missing))
        )
    raw = built.raw
    raw["cells"][0]["source"] += "\n\nfrom kit.remote.colab import mount_drive\n\n_ = mount_drive(use_drive)"
    raw["cells"].insert(0, _cell("code", "training-kit-drive", _CHOICE))
    if order.repository:
        raw["cells"].insert(0, _cell("markdown", "training-kit-badge", badge(order)))
    raw["cells"].append(_cell("code", "training-kit-download", _download(order)))
    text = json.dumps(raw, ensure_ascii=True, indent=1) + "\n"
    if len(text) > LARGEST:
        raise UsageError(f"The notebook would have {len(text):,} bytes; {LARGEST:,} are allowed.")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / order.notebook.name
    atomic_write(path, text)
    return path


def badge(order: ColabOrder) -> str:
    """Return the badge, in Markdown, that opens the built notebook in Colab.

    Raises:
        UsageError: the repository is no ``owner/name``.
    """
    if not _REPOSITORY.fullmatch(order.repository):
        raise UsageError(
            f"Not a repository: {order.repository!r}. Legal: owner/name, as in its address at GitHub."
        )
    place = "/".join(filter(None, [order.place.strip("/"), order.notebook.name]))
    address = OPEN.format(repository=order.repository, branch=order.branch, place=place)
    return f"[![Open in Colab]({BADGE})]({address})"


def mount_drive(wanted: bool, drive: Path = DRIVE) -> bool:
    """Mount the user's Drive, which asks for permission, so that runs go there; return whether it is mounted.

    Outside of Colab nothing happens. Where permission is refused, what Colab raises ends the cell.
    """
    if detect().kind != "colab":
        return False
    if wanted and not drive.is_dir():
        importlib.import_module("google.colab.drive").mount(str(drive.parent))
    if not drive.is_dir():
        logger.warning("The run is kept on this machine only: a disconnect may take it away.")
    return drive.is_dir()


def offer_download(notebook: str, out: str = "") -> Path | None:
    """Offer the archive of the notebook's newest run to the browser, on Colab; return the archive, None without one."""
    folders = [folder_of(notebook, out, quick_test=quick) for quick in (False, True)]
    there = [folder.archive for folder in folders if folder.archive.is_file()]
    if not there:
        logger.warning("There is no archive yet: the run has not been closed.")
        return None
    newest = max(there, key=lambda path: path.stat().st_mtime)
    if detect().kind == "colab":
        importlib.import_module("google.colab.files").download(str(newest))
    return newest


def _download(order: ColabOrder) -> str:
    out = str(order.values.get("out", ""))
    return (
        "from kit.remote.colab import offer_download\n\n"
        f"offer_download({order.notebook.stem!r}, {out!r})  # the archive of the run, on Colab into the browser"
    )


def _cell(kind: str, name: str, source: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {"tags": [name]}, "source": source}
    return {**cell, "execution_count": None, "outputs": []} if kind == "code" else cell
