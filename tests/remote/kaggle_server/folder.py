"""Folders as the CLI takes them: a kernel with its metadata, a dataset with its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

CELL = {
    "cell_type": "code",
    "execution_count": 1,
    "metadata": {},
    "outputs": [{"name": "stdout", "output_type": "stream", "text": ["an old output\n"]}],
    "source": ["a = 1\n", "print(a)"],
}


def kernel_folder(folder: Path, slug: str = "a-notebook", **metadata: object) -> Path:
    """Make a kernel folder with a notebook of one cell and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    notebook = {"cells": [CELL], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "notebook.ipynb").write_text(json.dumps(notebook))
    data = {
        "id": f"tester/{slug}",
        "title": slug.replace("-", " ").capitalize(),
        "code_file": "notebook.ipynb",
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": False,
        "enable_internet": False,
        **metadata,
    }
    (folder / "kernel-metadata.json").write_text(json.dumps(data))
    return folder


def dataset_folder(folder: Path, slug: str, files: Mapping[str, bytes]) -> Path:
    """Make a dataset folder with these files and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {"id": f"tester/{slug}", "title": slug.replace("-", " "), "licenses": [{"name": "CC0-1.0"}]}
    (folder / "dataset-metadata.json").write_text(json.dumps(data))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder
