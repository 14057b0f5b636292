from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture
def fixture_notebook() -> Callable[[str], Path]:
    """A notebook of tests/notebooks/fixtures, by name."""

    def find(name: str) -> Path:
        path = FIXTURES / f"{name}.ipynb"
        assert path.is_file(), path
        return path

    return find


@pytest.fixture
def make_notebook(tmp_path: Path) -> Callable[..., Path]:
    """Writes a notebook whose parameters cell has the given source; more cells follow as raw JSON objects."""

    def make(parameters: str, *cells: dict[str, Any], name: str = "made", **first: Any) -> Path:
        raw = {
            "cells": [code(parameters, 0, tags=["parameters"]) | first, *cells],
            "metadata": {},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        path = tmp_path / f"{name}.ipynb"
        path.write_text(json.dumps(raw), encoding="utf-8")
        return path

    return make


def code(source: str, index: int, tags: list[str] | None = None) -> dict[str, Any]:
    """Return a code cell as it lies in a notebook's JSON."""
    return {
        "cell_type": "code",
        "id": f"cell-{index}",
        "metadata": {"tags": tags} if tags else {},
        "source": source.splitlines(keepends=True),
        "execution_count": None,
        "outputs": [],
    }
