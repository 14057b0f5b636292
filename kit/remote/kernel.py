"""Builds what is pushed: a folder with kernel-metadata.json and one self-contained notebook.

Kaggle takes one file. So the kit travels inside the notebook, in its first cell, with the packages that the image lacks
and can be carried, and the files that parameters name; the parameters stand in their cell. The notebook still runs
where it is opened by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from kit.errors import UnknownNameError, UsageError
from kit.harness.cadence import Cadence
from kit.harness.store import committed_directory
from kit.notebooks.document import Document
from kit.notebooks.locate import repository_root
from kit.notebooks.parameters import check_values, is_portable, read_parameters
from kit.options import SessionOptions
from kit.remote.carry import carry
from kit.remote.first_cell import TAG, first_cell
from kit.remote.image import Missing, distribution_of, missing_in_image
from kit.remote.imports import imported_by, modules_of, texts_in
from kit.remote.metadata import FILE, kernel_metadata, slug_of, title_of
from kit.remote.optional_packages import optional_and_needed
from kit.remote.parameter_cell import with_values
from kit.remote.payload import pack
from kit.remote.secret_check import refuse_secret_files, refuse_secrets
from kit.remote.settings import Settings, settings_of
from kit.remote.travelling_files import files_named_by, modules_beside

LARGEST = 1_000_000
"""Bytes of a pushed notebook."""
HIDDEN = {"jupyter": {"source_hidden": True}, "_kg_hide-input": True, "cellView": "form"}
"""How Jupyter, Kaggle and Colab are told to fold the code of a cell."""


@dataclass(frozen=True)
class KernelOrder:
    """What to build.

    Attributes:
        notebook: the notebook, with one cell tagged ``parameters``.
        owner: the user name at Kaggle that it is pushed as.
        values: parameters that are set, of the types of their defaults.
        slug: its address; empty: that of ``kaggle/<notebook>``, or the notebook's name.
        title: empty: one that becomes the slug.
        gpu: whether it gets two T4; None: as ``kaggle/<notebook>`` says of these values, by default not.
        internet: whether it gets internet; None: as above.
        session_limit_s: what the push grants, seconds from the creation of process 1; None: what Kaggle grants.
        dataset_sources: data sets to attach, ``owner/slug``.
        kernel_sources: kernels whose output is attached, ``owner/slug`` or ``owner/slug/version``.
        options: options for its session, beside the notebook's own (``kit.options.SessionOptions``).
    """

    notebook: Path
    owner: str
    values: Mapping[str, Any] = field(default_factory=dict)
    slug: str = ""
    title: str = ""
    gpu: bool | None = None
    internet: bool | None = None
    session_limit_s: float | None = None
    dataset_sources: tuple[str, ...] = ()
    kernel_sources: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BuiltKernel:
    """What was built.

    Attributes:
        folder: what ``kaggle kernels push -p`` takes.
        metadata: the content of its kernel-metadata.json.
        notebook: the code file in it.
        size_bytes: its size.
        missing: packages that the image lacks and that could not travel (``kit.remote.image.refuse_missing``).
        carried: the packages that travel in it, by version.
        session_limit_s: what the push has to ask for with ``-t``; None: nothing.
    """

    folder: Path
    metadata: dict[str, Any]
    notebook: Path
    size_bytes: int
    missing: tuple[Missing, ...] = ()
    carried: Mapping[str, str] = field(default_factory=dict)
    session_limit_s: float | None = None


@dataclass(frozen=True)
class Built:
    """A self-contained notebook before it is written."""

    raw: dict[str, Any]
    missing: tuple[Missing, ...]
    carried: Mapping[str, str]


def build_kernel(order: KernelOrder, folder: Path) -> BuiltKernel:
    """Build what is pushed into ``folder``, whole or not at all; an earlier build there is replaced.

    Raises:
        UsageError: a parameter, an option, the slug, the title, the owner or a source cannot be one; a parameter is a
            secret; the notebook would be too large; ``folder`` holds something else than an earlier build.
        StorageError: the folder cannot be written.
    """
    settings = settings_of(order.notebook)
    metadata = _metadata(order, settings)
    _refuse_foreign(folder, metadata["code_file"])
    built = self_contained(order, settings)
    text = json.dumps(built.raw, ensure_ascii=True, indent=1) + "\n"
    if len(text) > LARGEST:
        carried = f", with {', '.join(built.carried)}" if built.carried else ""
        raise UsageError(
            f"The notebook would have {len(text):,} bytes with the kit in it{carried}; {LARGEST:,} are allowed. Move "
            "files that parameters name, or packages, into a data set and attach that."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with committed_directory(folder) as temporary:
        (temporary / metadata["code_file"]).write_text(text, encoding="utf-8")
        (temporary / FILE).write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
    code_file = folder / metadata["code_file"]
    return BuiltKernel(
        folder, metadata, code_file, len(text), built.missing, built.carried, order.session_limit_s
    )


def self_contained(order: KernelOrder, settings: Settings, **also: Any) -> Built:
    """Return the order's notebook with the kit in its first cell and its parameters set.

    ``also`` goes to the session as further options. Raises what ``build_kernel`` raises.
    """
    document = Document.read(order.notebook)
    parameters = read_parameters(order.notebook)
    values = check_values({**settings.values, **order.values}, parameters)
    defaults = {name: one.default for name, one in parameters.items()}
    everything = {**defaults, **values}
    refuse_secrets(everything, [cell.source for cell in document.cells])
    options = _options(order, also)
    root = repository_root()
    modules = modules_of(document, root)
    beside = modules_beside(order.notebook, modules)
    modules -= {name.removesuffix(".py") for name in beside}
    imported = imported_by(document)
    optional, extra = optional_and_needed(everything, imported, texts_in(document))
    optional -= {distribution_of(name.partition(".")[0]) for name in imported}
    modules = {one for one in modules if distribution_of(one) not in optional}
    missing = missing_in_image(modules, root / "requirements.txt", extra)
    carried, missing = carry(missing)
    files = {**beside, **files_named_by(everything, [Path.cwd(), root])}
    refuse_secret_files(files)
    payload = pack(carried.files, files)
    raw = _with_values(document, values)
    needed = [one.wanted for one in missing if not one.there]
    raw["cells"].insert(0, _cell(first_cell(payload, values, options, needed=needed, defaults=defaults)))
    return Built(raw, tuple(missing), carried.versions)


def _metadata(order: KernelOrder, settings: Settings) -> dict[str, Any]:
    template = settings.metadata
    known = str(template.get("id", "")).partition("/")[2]
    slug = order.slug or known or slug_of(order.notebook.stem)
    # A template's title is that of its slug, and of no other.
    title = order.title or (str(template.get("title", "")) if slug == known else "") or title_of(slug)
    return kernel_metadata(
        (order.owner, slug),
        title,
        order.notebook.name,
        gpu=settings.needs_gpu(order.values) if order.gpu is None else order.gpu,
        internet=bool(template.get("enable_internet", False)) if order.internet is None else order.internet,
        dataset_sources=[*template.get("dataset_sources", []), *order.dataset_sources],
        kernel_sources=[*template.get("kernel_sources", []), *order.kernel_sources],
    )


def _options(order: KernelOrder, also: Mapping[str, Any]) -> dict[str, Any]:
    """Return the session's options, checked; a limit of the push is its session limit."""
    options = {**order.options, **also}
    if order.session_limit_s is not None:
        if "session_limit" in options:
            raise UsageError("The session limit is given twice: as session_limit_s and among the options.")
        options["session_limit"] = float(order.session_limit_s)
    legal = [item.name for item in fields(SessionOptions)]
    for name, value in options.items():
        if name not in legal:
            raise UnknownNameError("session option", name, legal)
        if not is_portable(value):
            raise UsageError(f"Option {name!r} cannot be handed over: {value!r} is no JSON value.")
    checked = SessionOptions(**{**options, "cadence": _cadence(options.get("cadence", {}))})
    checked.limits(None)
    return options


def _cadence(given: Any) -> Cadence:
    """Return the cadence of a session's options, which gives those of its fields that are set."""
    legal = [item.name for item in fields(Cadence)]
    if not isinstance(given, Mapping):
        raise UsageError(f"cadence must be a dict with some of {', '.join(legal)}, not {given!r}.")
    for name, value in given.items():
        if name not in legal:
            raise UnknownNameError("cadence setting", name, legal)
        none = value is None and name == "checkpoint_every_steps"
        if not none and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise UsageError(f"{name} of cadence must be a number, not {value!r}.")
    return replace(Cadence(), **given)


def _with_values(document: Document, values: Mapping[str, Any]) -> dict[str, Any]:
    raw: dict[str, Any] = json.loads(json.dumps(document.raw))
    cell = raw["cells"][document.parameters_cell.index]
    cell["source"] = with_values(document.parameters_cell.source, values)
    for one in raw["cells"]:
        if one["cell_type"] == "code":
            one["outputs"], one["execution_count"] = [], None
    return raw


def _cell(source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": TAG,
        "metadata": {"tags": [TAG], **HIDDEN},
        "execution_count": None,
        "outputs": [],
        "source": source,
    }


def _refuse_foreign(folder: Path, code_file: str) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder.")
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    foreign = [name for name in there if name not in (FILE, code_file)]
    if foreign:
        raise UsageError(
            f"{folder} holds something else than an earlier build: {', '.join(foreign[:5])}. Nothing was changed; give "
            "a folder that is new, empty, or a build's."
        )
