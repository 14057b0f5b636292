"""The summary that a run left on another machine: what is read of it is what it should be, or is not there."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from kit.harness.finite import finite
from kit.harness.summary import FORMS, read_json

logger = logging.getLogger(__name__)


def read_left_summary(path: Path) -> dict[str, Any]:
    """Return the summary in ``path``, an empty one where there is none; each NaN and each infinity in it is None.

    Of what the commands count and compare with (``step``, ``status`` …), an entry of another form is left out, and
    named in the log.

    Raises:
        IntegrityError: the file is there, but holds no JSON object.
        StorageError: it cannot be read.
    """
    raw = read_json(path)
    facts: dict[str, Any] = finite(raw)
    strange = [name for name, kind in FORMS.items() if name in facts and not isinstance(facts[name], kind)]
    if strange:
        told = ", ".join(f"its {name!r} is {raw[name]!r}" for name in strange)
        logger.warning("%s: %s, and is taken for not there.", path.name, told)
    return {name: value for name, value in facts.items() if name not in strange}
