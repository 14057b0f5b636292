"""A kernel and its versions: what was pushed, and the session that runs it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.remote.kaggle_server.answers import without_defaults
from tests.remote.kaggle_server.session import ENDED, Session

_METADATA = {
    "language": "language",
    "kernel_type": "kernelType",
    "is_private": "isPrivate",
    "enable_gpu": "enableGpu",
    "enable_tpu": "enableTpu",
    "enable_internet": "enableInternet",
    "keywords": "categoryIds",
    "dataset_sources": "datasetDataSources",
    "kernel_sources": "kernelDataSources",
    "competition_sources": "competitionDataSources",
    "model_sources": "modelDataSources",
    "docker_image": "dockerImage",
    "machine_shape": "machineShape",
}


def slug_of(title: str) -> str:
    """Return the slug that the service makes of a title."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


@dataclass
class Version:
    """One version: the request that saved it, and its session."""

    number: int
    request: dict[str, object]
    session: Session
    inputs: dict[str, Path]
    shown: str = "QUEUED"

    @property
    def status(self) -> str:
        """The true status."""
        return self.session.status


@dataclass
class Kernel:
    """A slug of one owner."""

    number: int
    owner: str
    slug: str
    title: str
    versions: list[Version] = field(default_factory=list)

    @property
    def ref(self) -> str:
        """owner/slug."""
        return f"{self.owner}/{self.slug}"

    @property
    def url(self) -> str:
        """The page of the kernel."""
        return f"https://www.kaggle.com/code/{self.ref}"

    def version(self, label: str = "") -> Version | None:
        """Return the version of that number, the newest without one, None where there is none."""
        if not label:
            return self.versions[-1] if self.versions else None
        return next((version for version in self.versions if str(version.number) == label), None)

    def newest(self, statuses: tuple[str, ...]) -> Version | None:
        """Return the newest version that has one of these statuses."""
        return next((version for version in reversed(self.versions) if version.status in statuses), None)

    def going(self) -> list[Version]:
        """Return the versions that are queued or running."""
        return [version for version in self.versions if version.status not in ENDED]

    def metadata(self, version: Version) -> dict[str, object]:
        """Return ApiKernelMetadata."""
        said = {name: version.request.get(name) for name in _METADATA.values()}
        own = {
            "id": self.number,
            "ref": self.ref,
            "title": self.title,
            "slug": self.slug,
            "author": self.owner,
        }
        return without_defaults({**own, **said, "currentVersionNumber": self.versions[-1].number})


def write_folder(folder: Path, ref: str, title: str, request: dict[str, object]) -> Path:
    """Write what was pushed as a folder that ``kaggle kernels push`` would take, and return it.

    Args:
        folder: Where; it is made.
        ref: owner/slug.
        title: The kernel's title.
        request: What SaveKernel was sent.
    """
    folder.mkdir(parents=True)
    ending = "ipynb" if request.get("kernelType") == "notebook" else "py"
    code_file = f"{ref.split('/')[1]}.{ending}"
    (folder / code_file).write_text(str(request["text"]))
    data: dict[str, object] = {"id": ref, "title": title, "code_file": code_file}
    lists = ("dataset_sources", "kernel_sources", "competition_sources", "model_sources", "keywords")
    for name, sent in _METADATA.items():
        default: object = [] if name in lists else False if name.startswith(("enable", "is_")) else None
        data[name] = request.get(sent, default)
    (folder / "kernel-metadata.json").write_text(json.dumps(data, indent=2))
    return folder
