"""A tokenizer for a workload: byte-level BPE (Sennrich et al., ACL 2016), trained on its transcripts.

Pieces that no token crosses: a word of small letters with at most one capital before it, and any other character by
itself: capitals, digits, spaces, signs. So a word is one token wherever it stands, and a board of ``XO.`` is read cell
by cell. The parts of a prompt are trained apart, as they are tokenised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kit.errors import UsageError
from kit.lm.generation import Prompt
from kit.lm.libraries import library

Transcript = str | tuple[Prompt, str]
"""A text, or a prompt and its answer."""

PIECES = r"\p{Lu}?\p{Ll}+|\p{L}|\p{N}|\s|[^\s\p{L}\p{N}]"
END, PADDING = "<|end|>", "<|pad|>"
SPECIAL = (END, PADDING, "<|im_start|>", "<|im_end|>")
"""Single tokens in every text; the last two begin and end a turn in Qwen's chat form."""

SMALLEST = 256 + len(SPECIAL)
"""Tokens that every vocabulary has: each byte is one, so that there is no text without tokens."""


def train_tokenizer(transcripts: Sequence[Transcript], vocabulary: int) -> Any:
    """Return a fast tokenizer of at most ``vocabulary`` tokens; ``<|end|>`` ends an answer, ``<|pad|>`` pads.

    The same transcripts in the same order give the same tokenizer. Merges go by how often a pair occurs, where a fixed
    part that begins many prompts counts once, so that the words of answers come before those of the rules.

    Raises:
        UsageError: there are no transcripts, or the vocabulary does not hold the bytes.
        MissingDependencyError: tokenizers or transformers is not installed.
    """
    if not transcripts:
        raise UsageError("A tokenizer is trained on transcripts, and there are none.")
    if vocabulary < SMALLEST:
        raise UsageError(
            f"A vocabulary holds at least {SMALLEST} tokens, bytes and special ones, not {vocabulary}."
        )
    tokenizers = library("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    before = tokenizers.pre_tokenizers
    tokenizer.pre_tokenizer = before.Sequence(
        [
            before.Split(tokenizers.Regex(PIECES), behavior="isolated"),
            before.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=1,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(before.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_parts(transcripts), trainer)
    return library("transformers").PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PADDING, clean_up_tokenization_spaces=False
    )


def _parts(transcripts: Sequence[Transcript]) -> Iterator[str]:
    """Yield the texts that are tokenised on their own; each fixed part once."""
    seen: set[str] = set()
    for transcript in transcripts:
        if isinstance(transcript, str):
            yield transcript
            continue
        prompt, answer = transcript
        if prompt.fixed not in seen:
            seen.add(prompt.fixed)
            yield prompt.fixed
        yield prompt.rest
        yield answer
