"""The adapters that a backend answers with: loaded from their folders when they are asked for, so many at most.

There are two ways to hold them, with the same answers up to rounding. Hot-swapped they stand side by side on one model,
at a fraction of its memory. Merged each is a model of its own without any LoRA layers, which answers faster (at rank 32
and a width of 128 these are a third of the arithmetic) and is worth its memory where models are tiny.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator
from itertools import count
from typing import Protocol

import torch

from kit.lm.language_model import LanguageModel
from kit.lm.lora import merged_copy

MERGE_BELOW = 2**26
"""Bytes of weights up to which a model is copied for each adapter where nobody says otherwise."""


class AdapterPool(Protocol):
    """Adapters by their folders."""

    def answering(self, folder: str | None) -> contextlib.AbstractContextManager[tuple[LanguageModel, int]]:
        """Give a model that answers as that adapter does in the block, and the version of its weights.

        Raises:
            UsageError: there is no adapter in the folder, or it does not fit.
            IntegrityError: its files are damaged.
        """
        ...

    def forget(self, folder: str | None) -> None:
        """Drop an adapter; it is loaded again when it is asked for again."""
        ...


def adapter_pool(lm: LanguageModel, most: int, *, merge: bool | None) -> AdapterPool:
    """Return a pool of at most ``most`` adapters; ``merge`` None: merged where the model is tiny, and in float32.

    In a coarser format a sum loses what an adapter that has learned little adds to a weight.
    """
    if merge is None and lm.dtype != torch.float32:
        merge = False
    elif merge is None:
        size = sum(one.numel() * one.element_size() for one in lm.adapters.base_parameters())
        merge = size <= MERGE_BELOW
    return MergedCopies(lm, most) if merge else HotSwapped(lm, most)


class HotSwapped:
    """Adapters on the model itself."""

    def __init__(self, lm: LanguageModel, most: int) -> None:
        self._lm, self._most = lm, most
        self._names: OrderedDict[str, str] = OrderedDict()

    @contextlib.contextmanager
    def answering(self, folder: str | None) -> Iterator[tuple[LanguageModel, int]]:
        """See AdapterPool."""
        name = self._loaded(folder) if folder is not None else None
        with self._lm.using(name):
            yield self._lm, self._lm.version(name)

    def _loaded(self, folder: str) -> str:
        name = self._names.pop(folder, None)
        if name is None:
            taken = self._lm.adapters.settings  # another backend on this model has its own
            name = next(free for number in count() if (free := f"folder-{number}") not in taken)
            self._lm.load_adapter(folder, name)
        self._names[folder] = name
        while len(self._names) > self._most:
            self.forget(next(iter(self._names)))
        return name

    def forget(self, folder: str | None) -> None:
        """See AdapterPool."""
        if folder is not None and folder in self._names:
            self._lm.drop_adapter(self._names.pop(folder))


class MergedCopies:
    """A merged copy of the model for each adapter; made again when the model's own weights have changed."""

    def __init__(self, lm: LanguageModel, most: int) -> None:
        self._lm, self._most = lm, most
        self._copies: OrderedDict[str, tuple[int, LanguageModel]] = OrderedDict()

    @contextlib.contextmanager
    def answering(self, folder: str | None) -> Iterator[tuple[LanguageModel, int]]:
        """See AdapterPool."""
        version = self._lm.version(None)
        if folder is not None:
            yield self._copy(folder, version), version
            return
        with self._lm.using(None):
            yield self._lm, version

    def _copy(self, folder: str, version: int) -> LanguageModel:
        held = self._copies.pop(folder, None)
        if held is None or held[0] != version:
            held = version, merged_copy(self._lm, folder)
        self._copies[folder] = held
        while len(self._copies) > self._most:
            self._copies.popitem(last=False)
        return held[1]

    def forget(self, folder: str | None) -> None:
        """See AdapterPool."""
        if folder is not None:
            self._copies.pop(folder, None)
