"""Adapters for tests: a small shape, numbers in their weights, and what a model says of one text."""

import torch

from kit.lm.language_model import LanguageModel
from kit.lm.lora import LoraSettings
from tests.lm.conftest import RULES, STATES

SMALL = LoraSettings(rank=4, alpha=8)


def logits(lm: LanguageModel) -> torch.Tensor:
    """Return what the model says of one text."""
    with torch.no_grad():
        out: torch.Tensor = lm.module(input_ids=torch.tensor([lm.tokens(RULES + STATES[0])])).logits
    return out


def trained(lm: LanguageModel, name: str, seed: int) -> None:
    """Put numbers into an adapter's B, which begins as zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in lm.trainable(name):
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
