"""TransformersBackend: batched generation with transformers, each role's fixed prompt computed once per adapter."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from kit.errors import ContextLengthError, DivergenceError, UsageError
from kit.lm.adapter_pool import adapter_pool
from kit.lm.decode import Answer, Batch, decode
from kit.lm.devices import one_thread
from kit.lm.drawing import uniforms
from kit.lm.generation import Generation, Request, Sampling
from kit.lm.language_model import LanguageModel
from kit.lm.prompt_cache import PromptCache, slides
from kit.lm.row_batches import row_batches


@dataclass(frozen=True)
class _Asked:
    """A request in tokens: those whose keys and values are cached, then its own (at least one)."""

    request: Request
    cached: tuple[int, ...]
    tail: tuple[int, ...]

    @property
    def prompt(self) -> tuple[int, ...]:
        return self.cached + self.tail


REMEMBERED = 2**14
"""Texts whose tokens are remembered, and the other way round: games come through the same states again and again."""

WORTH_CACHING = 16
"""Tokens of a fixed prompt from which on its keys and values are kept. Prompts with a shorter one are read whole, those
of all roles in one batch: a pass more costs more than these tokens do."""

_Group = tuple[str | None, tuple[int, ...], Sampling, int]


class TransformersBackend:
    """A Backend on a LanguageModel in this process.

    Requests are grouped by adapter, fixed prompt and sampling; a group goes through the model in batches of rows of
    like length. Adapters are loaded from their folders when they are first asked for, and the least recently used is
    dropped. The model can be trained between two calls: what was made from weights that changed in place is made again.

    Not covered: models with a recurrent state beside keys and values (a UsageError). Written for CUDA as well, where
    it has not been run; sums over a vocabulary may differ there in their last bits from call to call.

    Args:
        lm: the model.
        most_rows: answers that go through the model together at most.
        most_adapters: adapters that are held in memory.
        merge: whether each of them is a model of its own, merged, instead of being swapped on this one; None: where
            the model is tiny and in float32.
        cache_bytes: bytes of keys and values that fixed prompts may take.
    """

    def __init__(
        self,
        lm: LanguageModel,
        *,
        most_rows: int = 256,
        most_adapters: int = 8,
        merge: bool | None = None,
        cache_bytes: int = 2**30,
    ) -> None:
        if most_rows < 1 or most_adapters < 1:
            raise UsageError(
                f"most_rows and most_adapters must be at least 1, not {most_rows} and {most_adapters}."
            )
        self.lm = lm
        self.prompts = PromptCache(cache_bytes)
        self.most_rows = most_rows
        self._pool = adapter_pool(lm, most_adapters, merge=merge)
        self._fixed_tokens = lru_cache(REMEMBERED)(lambda text: tuple(lm.fixed_tokens(text)))
        self._tokens = lru_cache(REMEMBERED)(lambda text: tuple(lm.tokens(text)))
        self._stop_token = lru_cache(REMEMBERED)(lm.stop_token)
        self._text = lru_cache(REMEMBERED)(lm.text)
        self._slides = slides(lm)

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Return the answers, in the order of the requests.

        Raises:
            ContextLengthError: a prompt and its answer do not fit into the model's context; nothing was generated.
            UsageError: a prompt is empty, a stop text is not one token, or an adapter cannot be loaded.
            DivergenceError: a model's logits are no finite numbers; names its adapter.
        """
        asked = [self._asked(request) for request in requests]
        answers = [Answer([], []) for _ in asked]
        for group, members in self._grouped(asked).items():
            with self._answering(group[0]) as (lm, version):
                tails = [asked[number].tail for number in members]
                for places in row_batches(tails, self.most_rows, group[2].max_tokens):
                    numbers = members[places.start : places.stop]
                    batch = self._batch(lm, group, version, [asked[number] for number in numbers])
                    for number, answer in zip(numbers, self._decoded(lm, group[0], batch), strict=True):
                        answers[number] = answer
        return [self._generation(one, answer) for one, answer in zip(asked, answers, strict=True)]

    def forget(self, adapter: str | None) -> None:
        """Drop what is kept of an adapter's folder; None: of the model as it was loaded."""
        self.prompts.forget(adapter)
        self._pool.forget(adapter)

    def _asked(self, request: Request) -> _Asked:
        cached = self._fixed_tokens(request.prompt.fixed)
        tail = self._tokens(request.prompt.rest)
        if len(cached) < WORTH_CACHING:
            cached, tail = (), cached + tail
        if not tail:  # the logits after the last token are needed, not only its keys and values
            cached, tail = cached[:-1], cached[-1:]
        if not tail:
            raise UsageError("A prompt has no tokens.")
        length, longest = len(cached) + len(tail), request.sampling.max_tokens
        if length + longest > self.lm.context:
            raise ContextLengthError(
                f"A prompt of {length} tokens and an answer of up to {longest} do not fit into the "
                f"{self.lm.context} tokens of {self.lm.name}'s context."
            )
        return _Asked(request, cached, tail)

    def _grouped(self, asked: Sequence[_Asked]) -> dict[_Group, list[int]]:
        """Return the numbers of the requests that go together, shorter ones first, equal ones beside each other."""
        groups: dict[_Group, list[int]] = {}
        for number, one in enumerate(asked):
            even = len(one.tail) if self._slides else 0  # a window's edge must not be shifted by padding
            groups.setdefault((one.request.adapter, one.cached, one.request.sampling, even), []).append(
                number
            )
        for members in groups.values():
            members.sort(key=lambda number: (len(asked[number].tail), asked[number].tail))
        return groups

    @contextlib.contextmanager
    def _answering(self, adapter: str | None) -> Iterator[tuple[LanguageModel, int]]:
        """Let an adapter answer in the block; gives the model that does, and the version of its weights."""
        with self._pool.answering(adapter) as (lm, version), one_thread(lm.device), torch.inference_mode():
            training = lm.module.training
            lm.module.eval()
            try:
                yield lm, version
            finally:
                lm.module.train(training)

    def _batch(self, lm: LanguageModel, group: _Group, version: int, asked: Sequence[_Asked]) -> Batch:
        adapter, cached, sampling, _ = group
        numbers = np.stack([uniforms(one.request.seed, sampling.max_tokens) for one in asked])
        tails = {tail: place for place, tail in enumerate(dict.fromkeys(one.tail for one in asked))}
        return Batch(
            cache=self.prompts.rows(lm, (adapter, cached), version, len(tails)),
            fixed=len(cached),
            tails=list(tails),
            asked=[tails[one.tail] for one in asked],
            numbers=torch.from_numpy(numbers).to(self.lm.device),
            temperature=sampling.temperature,
            stops=frozenset(self._stops(sampling)),
        )

    def _stops(self, sampling: Sampling) -> list[int]:
        end = self.lm.tokenizer.eos_token_id
        return [self._stop_token(text) for text in sampling.stop] + ([end] if end is not None else [])

    def _decoded(self, lm: LanguageModel, adapter: str | None, batch: Batch) -> list[Answer]:
        try:
            return decode(lm.module, batch)
        except DivergenceError as error:
            raise DivergenceError(f"{adapter or lm.name}: {error}") from error

    def _generation(self, asked: _Asked, answer: Answer) -> Generation:
        tokens = tuple(answer.tokens)
        return Generation(
            prompt_ids=asked.prompt,
            token_ids=tokens,
            logprobs=tuple(answer.logprobs),
            text=self._text(tokens[:-1] if answer.ended else tokens),
            ended=answer.ended,
        )
