"""What ListKernelSessionOutput and ListKernelFiles list: the files that a session left, and its log."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from tests.remote.kaggle_server.kernel import Kernel, Version
from tests.remote.kaggle_server.misbehaviour import Misbehaviour
from tests.remote.kaggle_server.page import first_token, page
from tests.remote.kaggle_server.policy import Policy
from tests.remote.kaggle_server.session import ENDED
from tests.remote.kaggle_server.storage import Storage


class Output:
    """Lists the output of versions, and signs its URLs anew with every listing."""

    def __init__(self, storage: Storage, policy: Policy, misbehave: Misbehaviour) -> None:
        self._storage, self._policy, self._misbehave = storage, policy, misbehave
        self._listed: dict[tuple[str, int, int], list[tuple[str, Path | bytes]]] = {}

    def folder(self, version: Version) -> Path | None:
        """Return the folder of what was kept of a version's output, None where nothing was."""
        if version.status not in ENDED:
            return None
        if version.status == "CANCEL_ACKNOWLEDGED" and not self._policy.keeps_cancelled_output:
            return None
        return version.session.working

    def session_output(
        self, kernel: Kernel, version: Version, size: object, token: object
    ) -> dict[str, object]:
        """Answer ListKernelSessionOutput. While a session runs there are neither files nor a log."""
        if version.status not in ENDED:
            return {}
        files = [] if self._misbehave.take("list_nothing") else self._files(kernel, version)
        some, more = page(files, size, token)
        if self._misbehave.take("repeat_page"):
            more = str(token or first_token())
        prefix = f"{kernel.number}/{version.number}/output"
        listed = [
            {"url": self._storage.url(f"{prefix}/{name}", content), "fileName": name}
            for name, content in some
        ]
        log = json.dumps(version.session.log())
        return {"files": listed, "log": log, **({"nextPageToken": more} if more else {})}

    def file_list(self, kernel: Kernel, version: Version, size: object, token: object) -> dict[str, object]:
        """Answer ListKernelFiles: names, sizes in bytes and dates."""
        some, more = page(self._files(kernel, version), size, token)
        listed = [
            {"name": name, "size": _size(content), "creationDate": _date(content)} for name, content in some
        ]
        return {"files": listed, **({"nextPageToken": more} if more else {})}

    def _files(self, kernel: Kernel, version: Version) -> list[tuple[str, Path | bytes]]:
        extra = self._misbehave.extra_files
        known = (kernel.ref, version.number, len(extra))
        if known not in self._listed:
            folder = self.folder(version)
            paths = folder.rglob("*") if folder is not None else []
            own = {path.relative_to(str(folder)).as_posix(): path for path in paths if path.is_file()}
            files = sorted({**own, **extra}.items())
            if version.status not in ENDED:
                return files
            self._listed[known] = files
        return self._listed[known]


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _date(content: Path | bytes) -> str:
    stamp = 0.0 if isinstance(content, bytes) else content.stat().st_mtime
    return datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
