"""A short supervised warm-up: a model learns the form of answers from examples before it learns from rewards."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from kit.errors import ContextLengthError, DivergenceError, UsageError
from kit.lm.devices import seeded
from kit.lm.generation import Prompt
from kit.lm.language_model import LanguageModel

Example = tuple[Prompt, str]
"""A prompt and the answer to it, without what ends it."""


@dataclass(frozen=True)
class WarmUpSettings:
    """How a warm-up goes.

    Attributes:
        steps: updates of the weights.
        batch: examples in each.
        learning_rate: of AdamW at the first step; it falls in a straight line and would be 0 after the last one.
        seed: of the order of the examples, and of dropout.
        full: whether the model's own weights learn; else an adapter does.
        adapter: which one.
        stop: text of one token that ends an answer; empty: the tokenizer's end of sequence.
        gradient_clipping: longest gradient, over all weights.
    """

    steps: int = 200
    batch: int = 32
    learning_rate: float = 1e-3
    seed: int = 0
    full: bool = True
    adapter: str = "policy"
    stop: str = ""
    gradient_clipping: float = 1.0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1:
            raise UsageError(f"steps and batch must be at least 1, not {self.steps} and {self.batch}.")
        for name in ("learning_rate", "gradient_clipping"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise UsageError(f"{name} must be above 0, not {value}.")


def warm_up(lm: LanguageModel, examples: Sequence[Example], settings: WarmUpSettings) -> list[float]:
    """Train on answers and the token that ends each; return the loss of every step (mean over its tokens, nats).

    The prompts' tokens are in no loss. The same model, examples and settings give the same weights: the examples go by
    in an order drawn from the seed, all of them before any comes again. Where all weights learn, adapters are left out.

    Not covered: an adapter on a model in float16 learns without a scaled loss, so that small gradients are lost.

    Raises:
        UsageError: there are no examples, the adapter is not there, the stop text is not one token, or all weights
            are to learn in float16.
        ContextLengthError: an example does not fit into the model's context.
        DivergenceError: a loss or a gradient is no finite number; names the step, whose update is not made.
    """
    if not examples:
        raise UsageError("A warm-up needs examples, and there are none.")
    if settings.full and lm.dtype == torch.float16:
        raise UsageError(
            "Weights in float16 are too coarse to be trained: load the model in float32, or adapt it."
        )
    rows = [_tokens(lm, example, settings.stop) for example in examples]
    learning = lm.adapters.base_parameters() if settings.full else lm.trainable(settings.adapter)
    optimizer = torch.optim.AdamW(learning, lr=settings.learning_rate, weight_decay=0.0)
    slope = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0 - step / settings.steps)
    losses: list[float] = []
    with (
        lm.using(None if settings.full else settings.adapter),
        seeded(settings.seed),
        _only(lm.module, learning),
    ):
        for step, numbers in enumerate(_order(len(rows), settings)):
            optimizer.zero_grad(set_to_none=True)
            loss = answer_loss(lm, [rows[number] for number in numbers])
            loss.backward()  # type: ignore[no-untyped-call]
            length = nn.utils.clip_grad_norm_(learning, settings.gradient_clipping)
            if not bool(torch.isfinite(loss) & torch.isfinite(length)):
                raise DivergenceError(
                    f"Step {step} of the warm-up: loss {loss.item()}, gradient {length.item()}."
                )
            optimizer.step()
            slope.step()
            losses.append(loss.item())
    return losses


def _tokens(lm: LanguageModel, example: Example, stop: str) -> tuple[list[int], list[int]]:
    prompt, answer = example
    fixed, rest = lm.prompt_tokens(prompt)
    end = lm.stop_token(stop) if stop else lm.tokenizer.eos_token_id
    if end is None:
        raise UsageError(f"{lm.name}'s tokenizer has no end of sequence: a warm-up needs a stop text.")
    asked, answered = fixed + rest, [*lm.tokens(answer), end]
    if not asked:
        raise UsageError("A prompt has no tokens.")
    if len(asked) + len(answered) > lm.context:
        raise ContextLengthError(
            f"A prompt of {len(asked)} tokens and an answer of {len(answered)} do not fit into the "
            f"{lm.context} tokens of {lm.name}'s context."
        )
    return asked, answered


def _order(examples: int, settings: WarmUpSettings) -> Iterator[list[int]]:
    """Yield the numbers of the examples of each step."""
    generator = np.random.Generator(np.random.Philox(key=settings.seed))
    waiting: list[int] = []
    for _ in range(settings.steps):
        while len(waiting) < settings.batch:
            waiting += generator.permutation(examples).tolist()
        yield waiting[: settings.batch]
        waiting = waiting[settings.batch :]


@contextlib.contextmanager
def _only(module: nn.Module, learning: Sequence[nn.Parameter]) -> Iterator[None]:
    """Let nothing but some parameters learn in the block, the model in training mode."""
    flags = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    training, chosen = module.training, {id(parameter) for parameter in learning}
    for parameter, _ in flags:
        parameter.requires_grad_(id(parameter) in chosen)
    module.train()
    try:
        yield
    finally:
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
            parameter.grad = None
        module.train(training)


def answer_loss(lm: LanguageModel, rows: Sequence[tuple[list[int], list[int]]]) -> torch.Tensor:
    """Return the mean of -log p over the answers' tokens, for rows of (tokens of the prompt, of the answer).

    Rows end together, (B, T) padded on the left, so that the logits of the last few positions hold all answers.
    """
    texts = [prompt + answer for prompt, answer in rows]
    longest = max(map(len, texts))
    kept = max(len(answer) for _, answer in rows)
    pads = torch.tensor([longest - len(text) for text in texts], device=lm.device).unsqueeze(-1)
    ids = torch.tensor([[0] * (longest - len(text)) + text for text in texts], device=lm.device)
    columns = torch.arange(longest, device=lm.device)
    logits = lm.module(
        input_ids=ids,
        attention_mask=(columns >= pads).long(),
        position_ids=(columns - pads).clamp(min=0),
        use_cache=False,
        logits_to_keep=kept + 1,
    ).logits[:, :-1]
    logprobs = torch.log_softmax(logits.float(), dim=-1)
    chosen = logprobs.gather(-1, ids[:, -kept:].unsqueeze(-1)).squeeze(-1)
    lengths = torch.tensor([len(answer) for _, answer in rows], device=lm.device).unsqueeze(-1)
    answered = torch.arange(kept, 0, -1, device=lm.device) <= lengths
    return -(chosen * answered).sum() / answered.sum()
