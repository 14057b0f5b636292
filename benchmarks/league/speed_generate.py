"""Plain batched generation, as one writes it with transformers alone: what the kit's is held against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from kit.lm.generation import Generation, Request
from kit.lm.language_model import LanguageModel


class PlainGenerate:
    """A backend on ``generate``: all prompts of a round in one batch, padded on the left, with keys and values cached.

    It draws from torch's global generator and gives no log-probabilities, which would take more time.
    """

    def __init__(self, lm: LanguageModel) -> None:
        self._lm, self._module, self._tokenizer = lm, lm.module, lm.tokenizer
        self._tokenizer.padding_side = "left"

    @torch.inference_mode()
    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Return the answers, in the order of the requests, which have the same sampling."""
        module: Any = self._module
        sampling = requests[0].sampling
        stops = [self._lm.stop_token(text) for text in sampling.stop] + [self._tokenizer.eos_token_id]
        texts = [request.prompt.text for request in requests]
        batch = self._tokenizer(texts, padding=True, add_special_tokens=False, return_tensors="pt")
        drawn = module.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            do_sample=True,
            temperature=sampling.temperature,
            top_k=0,
            top_p=1.0,
            max_new_tokens=sampling.max_tokens,
            eos_token_id=stops,
            pad_token_id=self._tokenizer.pad_token_id,
            use_cache=True,
        )
        answers = drawn[:, batch["input_ids"].shape[1] :].tolist()
        return [self._answer(answer, set(stops)) for answer in answers]

    def _answer(self, tokens: list[int], stops: set[int]) -> Generation:
        end = next((place for place, token in enumerate(tokens) if token in stops), None)
        text = self._tokenizer.decode(tokens[:end], clean_up_tokenization_spaces=False)
        kept = tokens if end is None else tokens[: end + 1]
        return Generation((), tuple(kept), (), text, end is not None)

    def forget(self, adapter: str) -> None:
        """Nothing is kept."""
