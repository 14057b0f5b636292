"""A small real model for tests of learning: two layers of Qwen3's code with random weights and a policy adapter."""

from __future__ import annotations

from typing import Any

import torch

VOCABULARY, PAD, CONTEXT = 40, 0, 64


def small_module(*, seed: int = 0, dtype: torch.dtype = torch.float32, **config: Any) -> Any:
    """Return a causal language model with random weights, large enough to tell one token from another."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    made = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        initializer_range=0.2,
        **config,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Qwen3ForCausalLM(made).to(dtype).eval()


def small_tokenizer() -> Any:
    """Return a tokenizer of numbers, whose padding is token 0."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    words = {"<pad>": PAD} | {str(number): number for number in range(1, VOCABULARY)}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel(words, "1")), pad_token="<pad>")


def small_lm(
    *, seed: int = 0, dtype: torch.dtype = torch.float32, adapted: bool = True, **config: Any
) -> Any:
    """Return a LanguageModel, with a policy adapter that already says something where ``adapted``."""
    from kit.lm.language_model import LanguageModel
    from kit.lm.lora import LoraSettings

    module = small_module(seed=seed, dtype=dtype, **config)
    lm = LanguageModel(
        module=module,
        tokenizer=small_tokenizer(),
        device=torch.device("cpu"),
        dtype=dtype,
        context=CONTEXT,
        name="small",
    )
    if adapted:
        lm.adapt(LoraSettings(rank=4, alpha=8), name="policy")
        speak_up(lm, "policy", seed + 1)
    return lm


def speak_up(lm: Any, name: str, seed: int) -> None:
    """Give an adapter random weights throughout: a fresh one's B is zero, and half its gradients with it."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in lm.trainable(name):
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)


def gradients(lm: Any, name: str = "policy") -> list[torch.Tensor]:
    """Return copies of an adapter's gradients."""
    return [parameter.grad.clone() for parameter in lm.trainable(name) if parameter.grad is not None]
