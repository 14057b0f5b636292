"""What is asked of a language model, and what it answered: token for token, with the log-probability of each."""

from __future__ import annotations

from dataclasses import dataclass

from kit.errors import UsageError


@dataclass(frozen=True)
class Prompt:
    """A prompt in two parts, which are tokenised apart: ``fixed`` is what every prompt of a role begins with.

    Its keys and values are computed once for a set of weights. Apart, because a token across the seam would make
    the fixed part's tokens depend on what follows.
    """

    fixed: str
    rest: str

    @property
    def text(self) -> str:
        """The whole of it."""
        return self.fixed + self.rest


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Attributes:
        temperature: divides the logits; 0 takes the most likely token.
        max_tokens: after so many the answer is cut off.
        stop: texts of one token each that end an answer, beside the tokenizer's end of sequence.
    """

    temperature: float = 1.0
    max_tokens: int = 64
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.temperature >= 0.0:
            raise UsageError(f"temperature must be at least 0, not {self.temperature}.")
        if self.max_tokens < 1:
            raise UsageError(f"max_tokens must be at least 1, not {self.max_tokens}.")


@dataclass(frozen=True)
class Request:
    """One answer that is wanted.

    Attributes:
        prompt: what it answers.
        seed: of the random numbers that draw it; the same request is answered by the same tokens whatever else is in
            the batch, as far as its logits have the same last bits there.
        sampling: how.
        adapter: folder of the LoRA adapter that answers; None: the model as it was loaded.
    """

    prompt: Prompt
    seed: int
    sampling: Sampling = Sampling()
    adapter: str | None = None


@dataclass(frozen=True)
class Generation:
    """One answer.

    Attributes:
        prompt_ids: tokens of the prompt, those of the fixed part first.
        token_ids: the tokens that were drawn, the one that ended the answer included.
        logprobs: of each of them, under the distribution that it was drawn from (the tempered one).
        text: the tokens in words, without the one that ended the answer.
        ended: whether a stop token ended it; else it was cut off.
    """

    prompt_ids: tuple[int, ...]
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    text: str
    ended: bool
