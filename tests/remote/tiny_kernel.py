"""Kernels small enough for tests: a notebook of a few cells with its metadata, as a push would take it."""

import json
from pathlib import Path
from typing import Any


def tiny_kernel(folder: Path, *cells: str, slug: str = "tiny-one", **metadata: Any) -> Path:
    """Write a kernel's folder whose notebook has these code cells, and return it."""
    folder.mkdir(parents=True)
    notebook = {
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{index}",
                "metadata": {},
                "source": source,
                "execution_count": None,
                "outputs": [],
            }
            for index, source in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (folder / "tiny.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    facts = {
        "id": f"somebody/{slug}",
        "title": "Tiny one",
        "code_file": "tiny.ipynb",
        "language": "python",
        "kernel_type": "notebook",
        "enable_internet": False,
        **metadata,
    }
    (folder / "kernel-metadata.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder
