"""DatasetApiService: datasets, their versions made of uploaded files, and how far the service is with them."""

from __future__ import annotations

import shutil
import tarfile
import threading
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.remote.kaggle_server.answers import ApiError, without_defaults
from tests.remote.kaggle_server.blobs import Blobs
from tests.remote.kaggle_server.misbehaviour import Misbehaviour
from tests.remote.kaggle_server.page import page
from tests.remote.kaggle_server.policy import Policy

Body = Mapping[str, object]


@dataclass
class DatasetVersion:
    """One version: its files, its notes, and how often it still says that it is not ready."""

    number: int
    folder: Path
    notes: str
    not_ready: int = 0


@dataclass
class Dataset:
    """A slug of one owner."""

    owner: str
    slug: str
    title: str
    private: bool
    versions: list[DatasetVersion] = field(default_factory=list)

    @property
    def ref(self) -> str:
        """owner/slug."""
        return f"{self.owner}/{self.slug}"

    @property
    def url(self) -> str:
        """The page of the dataset."""
        return f"https://www.kaggle.com/datasets/{self.ref}"


class Datasets:
    """All datasets of the server."""

    def __init__(self, root: Path, blobs: Blobs, policy: Policy, misbehave: Misbehaviour) -> None:
        self._root, self._blobs, self._policy, self._misbehave = root, blobs, policy, misbehave
        self._datasets: dict[str, Dataset] = {}
        self._lock = threading.RLock()

    def methods(self) -> dict[str, Callable[[str, Body], object]]:
        """Return what answers each method of the service."""
        return {
            "CreateDataset": self.create,
            "CreateDatasetVersion": self.create_version,
            "GetDatasetStatus": self.status,
            "GetDataset": self.get,
            "ListDatasetFiles": self.files,
        }

    def dataset(self, ref: str) -> Dataset:
        """Return the dataset of owner/slug.

        Raises:
            ApiError: 403 where there is none.
        """
        if ref not in self._datasets:
            raise ApiError(403, "Permission 'datasets.get' was denied")
        return self._datasets[ref]

    def create(self, user: str, body: Body) -> object:
        """Answer CreateDataset; a slug or title in use is an error with HTTP 200."""
        owner, slug, title = (str(body.get(name) or "") for name in ("ownerSlug", "slug", "title"))
        if owner != user:
            raise ApiError(403, "Permission 'datasets.create' was denied")
        if not 6 <= len(slug) <= 50 or not 6 <= len(title) <= 50:
            raise ApiError(400, "Slug and title must be between 6 and 50 characters.")
        with self._lock:
            if any(one.slug == slug or one.title == title for one in self._datasets.values()):
                said = f'The requested title "{title}" is already in use by a dataset. Please choose another title.'
                return {"status": "error", "error": said}
            dataset = Dataset(owner, slug, title, bool(body.get("isPrivate")))
            answer = self._add(dataset, body, "Initial release")
            self._datasets[dataset.ref] = dataset
        return answer

    def create_version(self, user: str, body: Body) -> object:
        """Answer CreateDatasetVersion."""
        dataset = self.dataset(f"{body.get('ownerSlug')}/{body.get('datasetSlug')}")
        if dataset.owner != user:
            raise ApiError(403, "Permission 'datasets.update' was denied")
        told = body.get("body")
        request: Body = told if isinstance(told, dict) else {}
        with self._lock:
            answer = self._add(dataset, request, str(request.get("versionNotes", "")))
            if request.get("deleteOldVersions"):
                del dataset.versions[:-1]
        return answer

    def status(self, _user: str, body: Body) -> object:
        """Answer GetDatasetStatus: of the newest version."""
        newest = self._of(body).versions[-1]
        if newest.not_ready:
            newest.not_ready -= 1
            return {"status": "BLOBS_RECEIVED"}
        return {"status": "READY"}

    def get(self, _user: str, body: Body) -> object:
        """Answer GetDataset: the newest version that is ready."""
        dataset = self._of(body)
        number = max((one.number for one in dataset.versions if not one.not_ready), default=0)
        return without_defaults(
            {
                "ref": dataset.ref,
                "title": dataset.title,
                "url": dataset.url,
                "isPrivate": dataset.private,
                "ownerRef": dataset.owner,
                "currentVersionNumber": number,
            }
        )

    def files(self, _user: str, body: Body) -> object:
        """Answer ListDatasetFiles."""
        dataset = self._of(body)
        folder = self.mountable(dataset.owner, dataset.slug, str(body.get("datasetVersionNumber") or ""))
        paths = sorted(path for path in folder.rglob("*") if path.is_file()) if folder else []
        some, more = page(paths, body.get("pageSize"), body.get("pageToken"))
        listed = [
            {"name": path.relative_to(str(folder)).as_posix(), "totalBytes": path.stat().st_size}
            for path in some
        ]
        return {"datasetFiles": listed, **({"nextPageToken": more} if more else {})}

    def mountable(self, owner: str, slug: str, label: str) -> Path | None:
        """Return the folder that a dataset source mounts: of that version, else of the newest that is ready."""
        dataset = self._datasets.get(f"{owner}/{slug}")
        versions = reversed(dataset.versions) if dataset else []
        ready = [one for one in versions if not one.not_ready and label in ("", str(one.number))]
        return ready[0].folder if ready else None

    def _of(self, body: Body) -> Dataset:
        return self.dataset(f"{body.get('ownerSlug')}/{body.get('datasetSlug')}")

    def _add(self, dataset: Dataset, body: Body, notes: str) -> object:
        files = body.get("files")
        tokens = [file["token"] for file in files] if isinstance(files, list) else []
        if not tokens:
            return {"status": "error", "error": "A dataset version needs at least one file."}
        blobs = [self._blobs.blob(token) for token in tokens]
        number = dataset.versions[-1].number + 1 if dataset.versions else 1
        folder = self._root / dataset.owner / dataset.slug / str(number)
        folder.mkdir(parents=True)
        for blob in blobs:
            place(blob.path, folder, blob.name, unpack=self._policy.unpacks_archives)
        slow = self._misbehave.take("process_slowly")
        waits = int(str(slow.how["answers"])) if slow else 0
        dataset.versions.append(DatasetVersion(number, folder, notes, waits))
        return {"ref": dataset.ref, "url": dataset.url, "status": "ok"}


def place(source: Path, folder: Path, name: str, unpack: bool) -> None:
    """Put an uploaded file into a version's folder, an archive unpacked into a folder named like it."""
    stem = folder / name.split(".")[0]
    if unpack and name.endswith(".zip") and zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            archive.extractall(stem)
    elif unpack and name.endswith((".tar", ".tar.gz", ".tgz")):
        with tarfile.open(source) as archive:
            archive.extractall(stem, filter="data")
    else:
        shutil.copyfile(source, folder / name)
