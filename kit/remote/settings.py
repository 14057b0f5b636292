"""What a notebook is on Kaggle: the folder ``kaggle/<notebook>`` with metadata, defaults, and what it needs."""

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
        needs: packages that a value of a parameter needs, as ``{parameter, values, packages}``.
    """

    metadata: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[Mapping[str, Any], ...] = ()

    def packages_for(self, values: Mapping[str, Any]) -> list[str]:
        """Return the packages that these values of the parameters need beyond what is imported anyway."""
        found = [need["packages"] for need in self.needs if values.get(need["parameter"]) in need["values"]]
        return sorted({name for names in found for name in names})

    @property
    def optional(self) -> frozenset[str]:
        """The packages that only some values need."""
        return frozenset(name for need in self.needs for name in need["packages"])


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
    return Settings(read_template(folder), data.get("values", {}), tuple(data.get("needs", ())))
