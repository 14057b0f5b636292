"""BlobApiService and the storage that uploads go to: begun, broken, asked about, resumed."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.remote.kaggle_server.answers import Answer, ApiError, StorageError
from tests.remote.kaggle_server.misbehaviour import Misbehaviour
from tests.remote.kaggle_server.reader import BodyReader


@dataclass(frozen=True)
class Blob:
    """A file that is being uploaded."""

    name: str
    size: int
    path: Path

    @property
    def received(self) -> int:
        """Bytes that have arrived."""
        return self.path.stat().st_size

    @property
    def whole(self) -> bool:
        """Whether all of it has arrived."""
        return self.received == self.size


class Blobs:
    """All uploads, by token."""

    def __init__(self, root: Path, base: str, misbehave: Misbehaviour) -> None:
        self._root, self._base, self._misbehave = root, base, misbehave
        self._blobs: dict[str, Blob] = {}

    def start(self, _user: str, body: Mapping[str, object]) -> object:
        """Answer StartBlobUpload with a token and the URL that takes the bytes."""
        token = secrets.token_hex(16)
        self._root.mkdir(parents=True, exist_ok=True)
        path = self._root / token
        path.touch()
        self._blobs[token] = Blob(Path(str(body["name"])).name, int(str(body.get("contentLength", 0))), path)
        return {"token": token, "createUrl": f"{self._base}/upload/{token}"}

    def blob(self, token: object) -> Blob:
        """Return the whole upload of that token.

        Raises:
            ApiError: 400 where there is none, or bytes are missing.
        """
        blob = self._blobs.get(str(token))
        if blob is None or not blob.whole:
            raise ApiError(400, "A file of the request was not uploaded.")
        return blob

    def put(self, token: str, sent_range: str, body: BodyReader) -> Answer:
        """Take bytes, or say how many there are.

        Args:
            token: Of the upload.
            sent_range: The Content-Range header: ``bytes a-b/n`` goes on at a, ``bytes */n`` only asks.
            body: The bytes that come.

        Raises:
            StorageError: 404 for an upload that does not exist, 503 where the upload is to break.
        """
        blob = self._blobs.get(token)
        if blob is None:
            raise StorageError(404, "NoSuchUpload", "The upload session is unknown or has expired.")
        if sent_range.startswith("bytes */"):
            return self._standing(blob)
        start = re.match(r"bytes (\d+)-", sent_range)
        self._take(blob, int(start[1]) if start else 0, body)
        return self._standing(blob)

    def _take(self, blob: Blob, start: int, body: BodyReader) -> None:
        if start > blob.received:
            raise StorageError(400, "InvalidRange", "The upload does not go on where it stopped.")
        switch = self._misbehave.take("break_upload", blob.name)
        most = start + int((blob.size - start) * float(str(switch.how["at"]))) if switch else blob.size
        with blob.path.open("r+b") as file:
            file.truncate(start)
            file.seek(start)
            for chunk in body.chunks():
                file.write(chunk[: max(0, most - file.tell())])
        if switch is not None:
            raise StorageError(503, "ServiceUnavailable", "Backend error, try again.")

    def _standing(self, blob: Blob) -> Answer:
        if blob.whole:
            return Answer(b"{}", 200, {"Content-Type": "application/json"})
        known = {"Range": f"bytes=0-{blob.received - 1}"} if blob.received else {}
        return Answer(b"", 308, known)
