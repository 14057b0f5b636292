"""The keys and values of fixed prompts, computed once for a set of weights and kept while there is room."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch

from kit.errors import UsageError
from kit.lm.language_model import LanguageModel
from kit.lm.libraries import library

Key = tuple[str | None, tuple[int, ...]]
"""An adapter's folder and the tokens of the fixed part."""


class PromptCache:
    """Keys and values by (adapter, fixed tokens), the least recently used dropped first.

    An entry counts only for the weights it was computed from: changed in place, they have another version.

    Args:
        most_bytes: of keys and values in all; the newest entry is kept even where it alone is larger.

    Attributes:
        computed: how often a fixed prompt was run through the model.
    """

    def __init__(self, most_bytes: int = 2**30) -> None:
        self.most_bytes = most_bytes
        self.computed = 0
        self._entries: OrderedDict[Key, tuple[int, Any]] = OrderedDict()

    def rows(self, lm: LanguageModel, key: Key, version: int, count: int) -> Any:
        """Return a cache of ``count`` rows that each begin with the fixed tokens, for the caller to fill further.

        Runs under the adapter that is active; ``key`` says which one that is.
        """
        if not key[1]:
            return empty_cache(lm)
        held = self._entries.pop(key, None)
        if held is None or held[0] != version:
            held = version, prefilled(lm, key[1])
            self.computed += 1
        self._entries[key] = held
        self._shrink()
        rows = copy.deepcopy(held[1])
        if count > 1:
            rows.batch_repeat_interleave(count)
        return rows

    def _shrink(self) -> None:
        while len(self._entries) > 1 and self.bytes > self.most_bytes:
            self._entries.popitem(last=False)

    @property
    def bytes(self) -> int:
        """Bytes of all keys and values."""
        return sum(
            tensor.numel() * tensor.element_size()
            for _, cache in self._entries.values()
            for layer in cache.layers
            for tensor in (layer.keys, layer.values)
        )

    def __len__(self) -> int:
        return len(self._entries)

    def forget(self, adapter: str | None) -> None:
        """Drop what was computed under an adapter; None: by the model as it was loaded."""
        for key in [key for key in self._entries if key[0] == adapter]:
            del self._entries[key]


def empty_cache(lm: LanguageModel) -> Any:
    """Return the cache of a model that has seen nothing.

    Raises:
        UsageError: the model keeps more than keys and values (a recurrent state), which cannot be shared by rows.
    """
    cache = library("transformers").DynamicCache(config=lm.module.config)
    if any(getattr(cache, "is_linear", ())):
        raise UsageError(f"{lm.name} keeps a recurrent state; only models of keys and values are known here.")
    return cache


def prefilled(lm: LanguageModel, tokens: Sequence[int]) -> Any:
    """Return the cache of one row that has seen ``tokens``, under the adapter that is active."""
    cache = empty_cache(lm)
    ids = torch.tensor([list(tokens)], device=lm.device)
    lm.module(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return cache


def slides(lm: LanguageModel) -> bool:
    """Whether some layer sees a window only, whose edge padding would shift."""
    return any(getattr(empty_cache(lm), "is_sliding", ()))
