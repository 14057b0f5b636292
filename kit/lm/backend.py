"""The backend: whatever generates. transformers now; vLLM fits where there is CUDA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kit.lm.generation import Generation, Request


class Backend(Protocol):
    """Answers requests, many at once, under any of several adapters."""

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Return the answers, in the order of the requests.

        Raises:
            ContextLengthError: a prompt and its answer do not fit into the model's context.
            UsageError: an adapter cannot be loaded.
        """
        ...

    def forget(self, adapter: str) -> None:
        """Drop what is kept of an adapter: its folder has changed, or nobody plays it any more."""
        ...
