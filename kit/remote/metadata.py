"""kernel-metadata.json: what Kaggle is told beside the code file, and the rules that it has to keep.

The rules are those that the client and the service apply: an address ``owner/slug``, a title of 5 to 50 characters
that becomes the slug when it is written as one. A title that becomes another slug makes another kernel, silently.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kit.errors import UsageError

FILE = "kernel-metadata.json"
OWNER = "OWNER"
"""Stands for the owner in the templates."""
T4_X2 = "NvidiaTeslaT4"
"""Two T4 of 15 GiB: the accelerator of a GPU run."""
SHORTEST, LONGEST = 5, 50
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}")
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[a-z0-9]+(?:-[a-z0-9]+)*(?:/[0-9]+)?")


def slug_of(title: str) -> str:
    """Return the slug that Kaggle makes of a title: lower case, every run of other characters one hyphen."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def title_of(slug: str) -> str:
    """Return a title that becomes ``slug`` again."""
    return slug.replace("-", " ").capitalize()


def check_slug(slug: str, what: str = "slug") -> str:
    """Return ``slug``; raises UsageError, with the rule and the nearest legal form, where it is none."""
    if _SLUG.fullmatch(slug) and SHORTEST <= len(slug) <= LONGEST:
        return slug
    nearest = slug_of(slug)[:LONGEST].strip("-")
    nearest = nearest if len(nearest) >= SHORTEST else None  # type: ignore[assignment]
    hint = f" Did you mean {nearest!r}?" if nearest else ""
    raise UsageError(
        f"Not a {what} for Kaggle: {slug!r}.{hint} Legal: {SHORTEST} to {LONGEST} lower-case letters and digits, with "
        "single hyphens between them, such as traffic-signal.",
        nearest,
    )


def check_title(title: str, slug: str) -> str:
    """Return ``title``; raises UsageError where Kaggle would refuse it, or make another slug than ``slug`` of it."""
    if not SHORTEST <= len(title) <= LONGEST or not title.isprintable():
        raise UsageError(
            f"Not a title for Kaggle: {title!r} has {len(title)} characters. Legal: {SHORTEST} to {LONGEST}, on one "
            f"line, such as {title_of(slug)!r}.",
            title_of(slug),
        )
    if slug_of(title) != slug:
        raise UsageError(
            f"The title {title!r} becomes the slug {slug_of(title)!r}, and not {slug!r}: Kaggle would make another "
            "kernel. Legal: a title that is the slug when its letters are small and all else is hyphens, such as "
            f"{title_of(slug)!r}.",
            title_of(slug),
        )
    return title


def check_owner(owner: str) -> str:
    """Return ``owner``; raises UsageError where it is no name of a Kaggle account."""
    if owner == OWNER or not _OWNER.fullmatch(owner):
        raise UsageError(
            f"Not the owner of a kernel: {owner!r}. Legal: your user name at Kaggle, as in the address of your profile "
            "(letters, digits and hyphens)."
        )
    return owner


def check_sources(kind: str, sources: Sequence[str]) -> list[str]:
    """Return ``sources``; raises UsageError for one that is no ``owner/slug`` or ``owner/slug/version``."""
    for source in sources:
        if not _SOURCE.fullmatch(source):
            raise UsageError(
                f"Not a {kind}: {source!r}. Legal: owner/slug, or owner/slug/3 for one version of it."
            )
    if len(set(sources)) < len(sources):
        raise UsageError(f"A {kind} is given twice: {', '.join(sorted(sources))}.")
    return list(sources)


def kernel_metadata(
    address: tuple[str, str],
    title: str,
    code_file: str,
    *,
    gpu: bool = False,
    internet: bool = False,
    dataset_sources: Sequence[str] = (),
    kernel_sources: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the metadata of a private notebook; ``address`` is owner and slug.

    Raises:
        UsageError: owner, slug, title or a source cannot be one; names the value, the rule and a legal form.
    """
    owner, slug = check_owner(address[0]), check_slug(address[1])
    metadata = {
        "id": f"{owner}/{slug}",
        "title": check_title(title, slug),
        "code_file": code_file,
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": gpu,
        "enable_tpu": False,
        "enable_internet": internet,
        "dataset_sources": check_sources("dataset source", dataset_sources),
        "competition_sources": [],
        "kernel_sources": check_sources("kernel source", kernel_sources),
        "model_sources": [],
        "keywords": [],
    }
    return {**metadata, "machine_shape": T4_X2} if gpu else metadata


def read_template(folder: Path) -> dict[str, Any]:
    """Return the ``kernel-metadata.json`` in ``folder``; empty where there is none.

    Raises:
        UsageError: it holds no JSON object.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path} holds no JSON object.")
    return data
