"""Orders of the commands: what a user typed, as what push, pull and chain take, with the values that hold on Kaggle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from kit.harness.atomic import storage_errors
from kit.harness.deadline import parse_duration
from kit.notebooks.launch import Launch
from kit.notebooks.locate import SUFFIX, find_notebook
from kit.remote.client import KaggleClient
from kit.remote.kernel import KernelOrder
from kit.remote.kernel_ref import KernelRef, split_target
from kit.remote.push import slug_for
from kit.remote.settings import settings_of


def kernel_order(
    launch: Launch,
    *,
    limit: str = "",
    owner: str = "",
    slug: str = "",
    title: str = "",
    gpu: bool | None = None,
    internet: bool | None = None,
    datasets: Sequence[str] = (),
) -> KernelOrder:
    """Return what is built of a launch: its notebook, values and session options, and what Kaggle is told.

    ``limit`` is a duration, empty for what Kaggle grants. Raises UsageError for one that cannot be read.
    """
    options: dict[str, Any] = {**launch.handed}
    options |= {name: value for name, value in launch.options.items() if name != "session_limit"}
    return KernelOrder(
        notebook=launch.notebook,
        owner=owner,
        values=dict(launch.values),
        slug=slug_for(launch.notebook, slug),
        title=title,
        gpu=gpu,
        internet=internet,
        session_limit_s=parse_duration(limit) if limit else None,
        dataset_sources=tuple(datasets),
        options=options,
    )


def quick_launch(launch: Launch, out: str = "") -> Launch:
    """Return the launch of the quick test before a push: with the values that the notebook has on Kaggle.

    What the command did before it, such as asking Kaggle, is none of its time.
    """
    values: Mapping[str, Any] = {**settings_of(launch.notebook).values, **launch.values}
    return replace(launch, values=values, quick_test=True, out=out, launched_s=None)


def run_folder_for(out: str, notebook: str, slug: str) -> Path:
    """Return where a run from Kaggle goes: ``out``, else ``runs/<notebook>-kaggle``."""
    return Path(out).expanduser().absolute() if out else Path.cwd() / "runs" / f"{notebook or slug}-kaggle"


def kernel_of(target: str, client: KaggleClient, *, owner: str = "", slug: str = "") -> KernelRef:
    """Return the kernel that a user named: ``owner/slug``, or a notebook of the account that is logged in.

    Raises:
        UsageError: it is neither.
        CredentialsError: the account's name is needed, and Kaggle knows nobody.
    """
    if target.endswith(SUFFIX) or Path(target).suffix == SUFFIX:
        notebook = find_notebook(target)
        return KernelRef(owner or client.username(), slug_for(notebook, slug), notebook.stem)
    found_owner, found_slug, name = split_target(target)
    if name and not found_owner:
        found_slug = slug_for(find_notebook(name), slug)
    return KernelRef(found_owner or owner or client.username(), found_slug, name)


@contextmanager
def line_writer(path: str, tell: Callable[[str], object]) -> Iterator[Callable[[str], object]]:
    """Give a function that tells a line, and writes it to the file ``path`` too where that is not empty.

    Raises:
        StorageError: the file cannot be written.
    """
    if not path:
        yield tell
        return
    target = Path(path)
    with storage_errors(target):
        file = target.open("w", encoding="utf-8")
    with file:

        def both(line: str) -> None:
            with storage_errors(target):
                file.write(f"{line}\n")
            tell(line)

        yield both
