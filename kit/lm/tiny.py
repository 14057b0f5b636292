"""A tiny Qwen3-style model (grouped queries, QK norm, SwiGLU, tied embeddings) to learn with on a CPU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.errors import UsageError
from kit.lm.adapter_folder import committed_folder
from kit.lm.devices import seeded
from kit.lm.libraries import library, no_progress_bar
from kit.lm.tokenizer_training import SMALLEST, Transcript, train_tokenizer


@dataclass(frozen=True)
class TinySettings:
    """Shape of a tiny model; with the defaults it has 0.85 to 0.89 million parameters.

    Attributes:
        vocabulary: most tokens that its tokenizer may have; transcripts with few words give fewer.
        hidden: width.
        layers: transformer blocks.
        heads: query heads, of hidden / heads numbers each.
        key_value_heads: key and value heads.
        feed_forward: inner width of a block's SwiGLU.
        context: tokens that a prompt and its answer may have together.
        spread: standard deviation of the weights at first. With tied embeddings it bounds how sure the model can
            get while its own weights are frozen: log-probabilities of two answers' tokens differ by no more than
            √hidden · |e − e'|, and a row e of the embeddings is about spread · √hidden long. 0.02 is what large
            models begin with; a narrow one that is to learn by an adapter alone needs about 1 / √hidden.
        seed: of the weights.
    """

    vocabulary: int = 768
    hidden: int = 128
    layers: int = 4
    heads: int = 4
    key_value_heads: int = 2
    feed_forward: int = 384
    context: int = 1024
    spread: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("hidden", "layers", "heads", "key_value_heads", "feed_forward", "context"):
            if getattr(self, name) < 1:
                raise UsageError(f"A model's {name} must be at least 1, not {getattr(self, name)}.")
        if self.hidden % (2 * self.heads):
            raise UsageError(f"hidden must be an even multiple of heads, not {self.hidden} for {self.heads}.")
        if self.heads % self.key_value_heads:
            raise UsageError(f"heads must be a multiple of key_value_heads, not {self.heads}.")
        if not 0.0 < self.spread < math.inf:
            raise UsageError(f"A model's spread must be above 0 and finite, not {self.spread}.")
        if self.vocabulary < SMALLEST:
            raise UsageError(f"vocabulary must be at least {SMALLEST}, not {self.vocabulary}.")


def make_tiny(
    transcripts: Sequence[Transcript], folder: Path | str, settings: TinySettings | None = None
) -> Path:
    """Make a model with random weights and a tokenizer trained on ``transcripts``; return the folder.

    It is written as `LanguageModel.load` loads it, whole or not at all, in place of what was there. The same
    transcripts and settings give the same model.

    Raises:
        UsageError: there are no transcripts.
        StorageError: writing failed.
        MissingDependencyError: transformers is not installed.
    """
    shape = settings or TinySettings()
    tokenizer = train_tokenizer(transcripts, shape.vocabulary)
    transformers = library("transformers")
    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        head_dim=shape.hidden // shape.heads,
        max_position_embeddings=shape.context,
        initializer_range=shape.spread,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with seeded(shape.seed):
        module = transformers.Qwen3ForCausalLM(config)
    with committed_folder(Path(folder)) as temporary, no_progress_bar():
        module.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
    return Path(folder)
