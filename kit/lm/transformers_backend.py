"""TransformersBackend: batched generation with transformers, each role's fixed prompt computed once per adapter."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from kit.errors import ContextLengthError, DivergenceError, UsageError
from kit.lm.decode import Answer, Batch, decode
from kit.lm.devices import one_thread
from kit.lm.drawing import uniforms
from kit.lm.generation import Generation, Request, Sampling
from kit.lm.language_model import LanguageModel
from kit.lm.prompt_cache import PromptCache, slides


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

_Group = tuple[str | None, tuple[int, ...], Sampling, int]


class TransformersBackend:
    """A Backend on a LanguageModel in this process.

    Requests are grouped by adapter, fixed prompt and sampling; a group goes through the model in batches. Adapters are
    loaded from their folders when they are first asked for, and the least recently used is dropped. The model can be
    trained between two calls: keys and values of weights that changed in place are computed again.

    Not covered: models with a recurrent state beside keys and values (a UsageError). Written for CUDA as well, where
    it has not been run; sums over a vocabulary may differ there in their last bits from call to call.

    Args:
        lm: the model.
        most_rows: answers that go through the model together at most.
        most_adapters: adapters that are held in memory.
        cache_bytes: bytes of keys and values that fixed prompts may take.
    """

    def __init__(
        self,
        lm: LanguageModel,
        *,
        most_rows: int = 256,
        most_adapters: int = 8,
        cache_bytes: int = 2**30,
    ) -> None:
        if most_rows < 1 or most_adapters < 1:
            raise UsageError(
                f"most_rows and most_adapters must be at least 1, not {most_rows} and {most_adapters}."
            )
        self.lm = lm
        self.prompts = PromptCache(cache_bytes)
        self.most_rows, self.most_adapters = most_rows, most_adapters
        self._names: OrderedDict[str, str] = OrderedDict()  # of folders that are loaded
        self._numbered = 0
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
            with self._answering(group[0]) as version:
                for start in range(0, len(members), self.most_rows):
                    numbers = members[start : start + self.most_rows]
                    batch = self._batch(group, version, [asked[number] for number in numbers])
                    for number, answer in zip(numbers, self._decoded(group[0], batch), strict=True):
                        answers[number] = answer
        return [self._generation(one, answer) for one, answer in zip(asked, answers, strict=True)]

    def forget(self, adapter: str | None) -> None:
        """Drop what is kept of an adapter's folder; None: of the model as it was loaded."""
        self.prompts.forget(adapter)
        if adapter in self._names:
            self.lm.drop_adapter(self._names.pop(adapter))

    def _asked(self, request: Request) -> _Asked:
        cached = self._fixed_tokens(request.prompt.fixed)
        tail = self._tokens(request.prompt.rest)
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
        """Return the numbers of the requests that go together, the shorter ones first."""
        groups: dict[_Group, list[int]] = {}
        for number, one in enumerate(asked):
            even = len(one.tail) if self._slides else 0  # a window's edge must not be shifted by padding
            groups.setdefault((one.request.adapter, one.cached, one.request.sampling, even), []).append(
                number
            )
        for members in groups.values():
            members.sort(key=lambda number: len(asked[number].tail))
        return groups

    @contextlib.contextmanager
    def _answering(self, adapter: str | None) -> Iterator[int]:
        """Let an adapter answer in the block; gives the version of the weights that do."""
        name = self._loaded(adapter) if adapter is not None else None
        module, device = self.lm.module, self.lm.device
        version, training = self.lm.version(name), module.training
        with self.lm.using(name), one_thread(device), torch.inference_mode():
            module.eval()
            try:
                yield version
            finally:
                module.train(training)

    def _loaded(self, folder: str) -> str:
        """Return the name of the adapter in ``folder``, loaded if it is not; it is now the most recently used."""
        name = self._names.pop(folder, None)
        if name is None:
            name = f"folder-{self._numbered}"
            self.lm.load_adapter(folder, name)
            self._numbered += 1
        self._names[folder] = name
        while len(self._names) > self.most_adapters:
            self.forget(next(iter(self._names)))
        return name

    def _batch(self, group: _Group, version: int, asked: Sequence[_Asked]) -> Batch:
        adapter, cached, sampling, _ = group
        numbers = np.stack([uniforms(one.request.seed, sampling.max_tokens) for one in asked])
        return Batch(
            cache=self.prompts.rows(self.lm, (adapter, cached), version, len(asked)),
            fixed=len(cached),
            tails=[one.tail for one in asked],
            numbers=torch.from_numpy(numbers).to(self.lm.device),
            temperature=sampling.temperature,
            stops=frozenset(self._stops(sampling)),
        )

    def _stops(self, sampling: Sampling) -> list[int]:
        end = self.lm.tokenizer.eos_token_id
        return [self._stop_token(text) for text in sampling.stop] + ([end] if end is not None else [])

    def _decoded(self, adapter: str | None, batch: Batch) -> list[Answer]:
        try:
            return decode(self.lm.module, batch)
        except DivergenceError as error:
            raise DivergenceError(f"{adapter or self.lm.name}: {error}") from error

    def _generation(self, asked: _Asked, answer: Answer) -> Generation:
        tokens = tuple(answer.tokens)
        return Generation(
            prompt_ids=asked.prompt,
            token_ids=tokens,
            logprobs=tuple(answer.logprobs),
            text=self._text(tokens[:-1] if answer.ended else tokens),
            ended=answer.ended,
        )
