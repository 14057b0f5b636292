"""Calls without the CLI: what a test asks the server itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from tests.remote.kaggle_server.server import KaggleServer

_SERVICES = {
    "kernels": "kernels.KernelsApiService",
    "datasets": "datasets.DatasetApiService",
    "blobs": "blobs.BlobApiService",
}


@dataclass(frozen=True)
class Heard:
    """What came back."""

    code: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def ask(server: KaggleServer, service: str, method: str, body: Mapping[str, object] | None = None) -> Heard:
    """Call a method of the API with the right token; a kernel is named by ``kernelSlug`` alone."""
    headers = {"Authorization": f"Bearer {server.account.token}", "Content-Type": "application/json"}
    request = {"userName": server.user, **(body or {})} if service == "kernels" else dict(body or {})
    return _send(
        server, "POST", f"/api/v1/{_SERVICES[service]}/{method}", headers, json.dumps(request).encode()
    )


def status(server: KaggleServer, slug: str) -> str:
    """Return the status that the server gives."""
    return str(ask(server, "kernels", "GetKernelSessionStatus", {"kernelSlug": slug}).json["status"])


def push(server: KaggleServer, slug: str = "a-notebook", **fields: object) -> dict[str, Any]:
    """Push a kernel and return the answer; ``fields`` are those of SaveKernel."""
    ref = slug if "/" in slug else f"{server.user}/{slug}"
    request = {
        "slug": ref,
        "newTitle": ref.partition("/")[2],
        "text": "{}",
        "kernelType": "notebook",
        **fields,
    }
    return dict(ask(server, "kernels", "SaveKernel", request).json)


def carry(server: KaggleServer, slug: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Make a dataset of these files, a new version where there is one already, and return the answer."""
    tokens = []
    for name, content in files.items():
        begun = {"type": "DATASET", "name": name, "contentLength": len(content)}
        told = ask(server, "blobs", "StartBlobUpload", begun).json
        assert _send(server, "PUT", urlsplit(told["createUrl"]).path, {}, content).code == 200
        tokens.append({"token": told["token"]})
    named = {"ownerSlug": server.user, "datasetSlug": slug}
    if ask(server, "datasets", "GetDatasetStatus", named).code == 200:
        request = {**named, "body": {"versionNotes": "renewed", "files": tokens}}
        return dict(ask(server, "datasets", "CreateDatasetVersion", request).json)
    request = {"ownerSlug": server.user, "slug": slug, "title": slug, "isPrivate": True, "files": tokens}
    return dict(ask(server, "datasets", "CreateDataset", request).json)


def fetch(server: KaggleServer, url: str, **headers: str) -> Heard:
    """Download a URL; a header's name is written with underscores."""
    parts = urlsplit(url)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return _send(server, "GET", f"{parts.path}?{parts.query}", sent, b"")


def _send(server: KaggleServer, verb: str, path: str, headers: Mapping[str, str], body: bytes) -> Heard:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request(verb, path, body, dict(headers))
        answer = connection.getresponse()
        return Heard(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()
