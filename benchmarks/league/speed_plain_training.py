"""REINFORCE as one writes it with transformers and peft alone: what the kit's learners are held against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from kit.league.trajectory import Step
from kit.lm.libraries import library, no_progress_bar
from kit.lm.lora import LoraSettings

IGNORED = -100


class PlainReinforce:
    """The same loss, adapter, optimizer and micro-batch: padded on the right, logits of the whole length."""

    def __init__(self, folder: Path, lora: LoraSettings, mini_batch_size: int, longest_answer: int) -> None:
        auto, peft = library("transformers"), library("peft")
        with no_progress_bar():
            module = auto.AutoModelForCausalLM.from_pretrained(str(folder), local_files_only=True)
        self._model: Any = peft.get_peft_model(
            module, peft.LoraConfig(**lora.config(), task_type="CAUSAL_LM")
        )
        self._trained = [one for one in self._model.parameters() if one.requires_grad]
        self._optimizer = torch.optim.AdamW(self._trained, lr=1e-5)
        self._size, self._longest = mini_batch_size, longest_answer

    def update(self, batch: Sequence[Step]) -> float:
        """Learn from the batch; return the loss."""
        self._model.train()
        self._optimizer.zero_grad()
        total = 0.0
        for start in range(0, len(batch), self._size):
            loss = self._loss(batch[start : start + self._size]) / (len(batch) * self._longest)
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(self._trained, 0.2)
        self._optimizer.step()
        return total

    def _loss(self, steps: Sequence[Step]) -> torch.Tensor:
        rows = [[*step.prompt_ids, *step.token_ids] for step in steps]
        width = max(map(len, rows))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        seen = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        labels = torch.full_like(ids, IGNORED)
        for place, (step, row) in enumerate(zip(steps, rows, strict=True)):
            labels[place, len(step.prompt_ids) : len(row)] = torch.tensor(step.token_ids)
        logits = self._model(input_ids=ids, attention_mask=seen, use_cache=False).logits[:, :-1]
        nats = cross_entropy(logits.transpose(1, 2), labels[:, 1:], ignore_index=IGNORED, reduction="none")
        rewards = torch.tensor([step.reward for step in steps])
        return (rewards * nats.sum(1)).sum()
