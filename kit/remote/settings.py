"""What a notebook is on Kaggle: the folder ``kaggle/<notebook>`` with metadata and defaults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.errors import UsageError
from kit.notebooks.locate import repository_root
from kit.remote.metadata import read_template

FILE = "settings.json"


@dataclass(frozen=True)
class Settings:
    """The content of ``kaggle/<notebook>``.

    Attributes:
        metadata: the template of kernel-metadata.json; its owner is filled in when it is built.
        values: parameters that have another value on Kaggle than in the notebook, unless they are set.
        gpu_unless: parameters and the value with which each needs no GPU; set to another one it needs one.
    """

    metadata: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    gpu_unless: Mapping[str, Any] = field(default_factory=dict)

    def needs_gpu(self, values: Mapping[str, Any]) -> bool:
        """Whether the notebook needs GPUs, by its template and the parameters that are set."""
        given = {**self.values, **values}
        other = any(given.get(name, value) != value for name, value in self.gpu_unless.items())
        return other or bool(self.metadata.get("enable_gpu", False))


def settings_of(notebook: Path, root: Path | None = None) -> Settings:
    """Return what ``kaggle/`` says of a notebook; nothing where it is not one of ``notebooks/``.

    Raises:
        UsageError: a file there cannot be read.
    """
    root = root or repository_root()
    folder = root / "kaggle" / notebook.stem
    if notebook.resolve().parent != (root / "notebooks").resolve() or not folder.is_dir():
        return Settings()
    try:
        data = json.loads((folder / FILE).read_text(encoding="utf-8")) if (folder / FILE).exists() else {}
    except (ValueError, OSError) as error:
        raise UsageError(f"{folder / FILE} cannot be read: {error}.") from error
    return Settings(read_template(folder), data.get("values", {}), data.get("gpu_unless", {}))
