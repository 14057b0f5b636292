"""The optional libraries behind language models (transformers, peft, tokenizers), imported where they are used."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from types import ModuleType

from kit.errors import MissingDependencyError

INSTALL = "pip install -r requirements-llm.txt"


def library(name: str) -> ModuleType:
    """Return the module called ``name``, imported now.

    Raises:
        MissingDependencyError: it, or something it stands on, is not installed; says which, and what installs it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = (error.name or name).partition(".")[0]
        raise MissingDependencyError(
            f"Language models need the package {missing!r}, which is not installed: {INSTALL}"
        ) from error


@contextlib.contextmanager
def no_progress_bar() -> Iterator[None]:
    """Load and save in the block without transformers' bars, which would be all that a log shows of it."""
    says = library("transformers.utils.logging")
    shown = says.is_progress_bar_enabled()
    says.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            says.enable_progress_bar()
