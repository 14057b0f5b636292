"""The output of a kernel: the names of its files, an address for each, and the log; listed in pages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kit.errors import RemoteError
from kit.harness.unpack import is_safe_name
from kit.remote.kernel_ref import KernelRef

logger = logging.getLogger(__name__)

METHOD = "kernels.KernelsApiService/ListKernelSessionOutput"
PAGE = 200
MOST_FILES = 100_000
Post = Callable[[str, Mapping[str, Any]], dict[str, Any]]


@dataclass
class OutputListing:
    """``files`` maps a name below ``/kaggle/working`` to its address, which expires; ``log`` is the session's log."""

    files: dict[str, str] = field(default_factory=dict)
    log: str = ""
    left_out: list[str] = field(default_factory=list)
    """Names that cannot be written here, such as one that leads out of the folder."""


def list_output(post: Post, ref: KernelRef) -> OutputListing:
    """Return everything that the newest version of a kernel left, whatever number of pages it takes.

    Raises:
        RemoteError: the pages never end, or what they hold are no files.
    """
    found, token, seen = OutputListing(), "", set()
    while True:
        asked = {"userName": ref.owner, "kernelSlug": ref.slug, "pageSize": PAGE}
        page = post(METHOD, asked | ({"pageToken": token} if token else {}))
        _add(found, page)
        found.log = found.log or str(page.get("log") or "")
        token = str(page.get("nextPageToken") or "")
        if not token:
            break
        if token in seen or len(found.files) > MOST_FILES:
            raise RemoteError(f"The listing of {ref} does not end ({len(found.files):,} files so far).")
        seen.add(token)
    if found.left_out:
        logger.warning("%s files of %s have names that are not written here.", len(found.left_out), ref)
    return found


def _add(found: OutputListing, page: Mapping[str, Any]) -> None:
    files = page.get("files") or []
    try:
        pairs = [(str(one["fileName"]), str(one["url"])) for one in files]
    except (TypeError, KeyError):
        raise RemoteError("Kaggle's listing of the output holds something else than files.") from None
    for name, url in pairs:
        if is_safe_name(name):
            found.files[name] = url
        else:
            found.left_out.append(name)
