"""KernelRef: which notebook on Kaggle is meant, ``owner/slug``, and which run of the kit it holds."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kit.errors import UsageError, nearest_match
from kit.notebooks.locate import SUFFIX, notebook_names
from kit.remote.metadata import slug_of

LEGAL = "OWNER/SLUG, a notebook's name (traffic_signal) or its slug (traffic-signal)"
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]*")


@dataclass(frozen=True)
class KernelRef:
    """``owner/slug``, and the name of the notebook in it, empty where only what it left can tell."""

    owner: str
    slug: str
    notebook: str = ""

    def __str__(self) -> str:
        return f"{self.owner}/{self.slug}"


def split_target(target: str) -> tuple[str, str, str]:
    """Return (owner, slug, notebook's name) of what a user typed; owner and name are empty where it does not say.

    Raises:
        UsageError: it is neither a notebook's name nor a kernel of Kaggle; names the nearest.
    """
    names = notebook_names()
    by_slug = {slug_of(name): name for name in names}
    text = target.rstrip("/").removeprefix("https://").removeprefix("www.").removeprefix("kaggle.com/code/")
    if "/" in text and not text.endswith(SUFFIX):
        parts = text.split("/")
        if len(parts) == 2 and all(_PART.fullmatch(part) for part in parts):
            return parts[0], parts[1], by_slug.get(parts[1], "")
    else:
        name = text.rpartition("/")[2].removesuffix(SUFFIX)
        if name in names or text.endswith(SUFFIX):
            return "", slug_of(name), name
        if name in by_slug:
            return "", name, by_slug[name]
    nearest = nearest_match(text, [*names, *by_slug])
    hint = f" Did you mean {nearest!r}?" if nearest else ""
    raise UsageError(f"{target!r} is no notebook on Kaggle.{hint} Legal: {LEGAL}.", nearest)
