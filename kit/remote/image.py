"""The Kaggle image: what is installed there, as far as its own sources say, and what a notebook would miss.

``kaggle_image.json`` was put together from the files that the image is built from; it holds their dates. A package of
which no version is known counts as recent enough. The image moves: what is said here is what these sources say.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from kit.errors import MissingDependencyError
from kit.preflight.requirements import read_requirements

LIST = Path(__file__).with_name("kaggle_image.json")
DISTRIBUTIONS = {
    "IPython": "ipython",
    "PIL": "pillow",
    "cv2": "opencv-python",
    "mpl_toolkits": "matplotlib",
    "sb3_contrib": "sb3-contrib",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "stable_baselines3": "stable-baselines3",
    "sumo_rl": "sumo-rl",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}
"""Names of packages that are called otherwise than what they are imported as, where they are not installed here."""


IN_NO_PACKAGE = frozenset(
    {"google", "kaggle_datasets", "kaggle_gcp", "kaggle_secrets", "kaggle_session", "kaggle_web_client"}
)
"""Modules that are on the image and belong to no package of their name; ``google`` is shared by many."""


@dataclass(frozen=True)
class Missing:
    """A package that a notebook needs and the image lacks, or has too old. ``there`` is its version, or empty."""

    name: str
    wanted: str
    there: str = ""

    def __str__(self) -> str:
        if self.there:
            return f"{self.name} (the image has {self.there}, {self.wanted} is asked for)"
        return self.wanted


@functools.cache
def image() -> dict[str, Any]:
    """Return ``{place, as_of, python, from, packages: {name: version or ""}}``."""
    data: dict[str, Any] = json.loads(LIST.read_text())
    return data


def normalised(name: str) -> str:
    """Return a package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def admits(requirement: Requirement) -> bool:
    """Whether the image has what a requirement asks for."""
    packages = image()["packages"]
    name = normalised(requirement.name)
    if name not in packages:
        return False
    version = packages[name]
    return not version or requirement.specifier.contains(version, prereleases=True)


def missing_in_image(modules: Iterable[str], requirements: Path, extra: Iterable[str] = ()) -> list[Missing]:
    """Return what the image lacks of the packages behind ``modules``, and of those named in ``extra``, by name.

    ``requirements`` is a requirements file: the versions in it are asked for, where it names a package.
    """
    bounds = {normalised(one.name): one for one in read_requirements(requirements)}
    modules = set(modules) - IN_NO_PACKAGE
    names = {distribution_of(module) for module in modules} | {normalised(name) for name in extra}
    wanted = [bounds.get(name, Requirement(name)) for name in sorted(names)]
    there: Mapping[str, str] = image()["packages"]
    return [
        Missing(normalised(one.name), str(one), there.get(normalised(one.name), ""))
        for one in wanted
        if not admits(one)
    ]


def distribution_of(module: str) -> str:
    """Return the name of the package that a top-level module comes from, by default the module's own."""
    if module in DISTRIBUTIONS:
        return DISTRIBUTIONS[module]
    found = _installed().get(module)
    return normalised(found[0]) if found and len(set(found)) == 1 else normalised(module)


@functools.cache
def _installed() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def python_admitted(specifier: str | None) -> bool:
    """Whether the image's Python is one that a package asks for."""
    return not specifier or SpecifierSet(specifier).contains(f"{image()['python']}.0")


def refuse_missing(missing: Iterable[Missing], attached: Iterable[str] = ()) -> None:
    """Raise MissingDependencyError where a notebook would miss packages on Kaggle and no data set is attached.

    Whether an attached data set holds their wheels cannot be seen from here; the notebook says so at its start.
    """
    missing = list(missing)
    told = [str(one) for one in missing]
    if told and not list(attached):
        raise MissingDependencyError(
            f"The Kaggle image has not got what the notebook needs: {', '.join(told)} (as of {image()['as_of']}). "
            f"Nothing was pushed. Make a folder of wheels (pip download --no-deps --only-binary=:all: "
            f"--python-version {image()['python']} --dest wheels {' '.join(one.name for one in missing)}), upload it "
            "as a data set, and attach that: --dataset OWNER/SLUG. Its wheels are installed when the notebook begins, "
            "without internet, beside what is there and in no place of it."
        )
