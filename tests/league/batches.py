"""Steps and episodes to learn from, sampled token for token from the small model that learns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from kit.league.trajectory import Step
from kit.lm.scoring import token_logprobs

PROMPTS = [(5, 6, 7, 8), (9, 10), (5, 6, 7, 8, 11, 12, 13), (14, 15, 16)]
ANSWERS = [(1, 2, 3), (4,), (20, 21), (22, 23, 24, 25, 1)]


def a_step(number: int = 0, *, reward: float = 1.0, pid: int = 0, **changes: Any) -> Step:
    """Return a step whose texts say nothing: only its tokens may be learnt from."""
    prompt, answer = PROMPTS[number % 4], ANSWERS[(number // 4 + number) % 4]
    step = Step(
        game=number // 2,
        env_id="Some-v0",
        pid=pid,
        uid="learner",
        turn=number % 2,
        prompt="not the tokens",
        prompt_ids=prompt,
        token_ids=answer,
        logprobs=(-1.0,) * len(answer),
        temperature=1.0,
        text="not these either",
        action="",
        format_ok=True,
        legal=True,
        reward=reward,
        policy_version=0,
    )
    return replace(step, **changes)


def a_batch(count: int = 8) -> list[Step]:
    """Return steps of unequal lengths and rewards."""
    return [a_step(number, reward=(-1.0) ** number * (1 + number / 4)) for number in range(count)]


def sampled(lm: Any, steps: list[Step]) -> list[Step]:
    """Return ``steps`` with the log-probabilities that the policy gives their tokens now."""
    with lm.using("policy"), torch.no_grad():
        prompts, answers = [step.prompt_ids for step in steps], [step.token_ids for step in steps]
        logprobs, _ = token_logprobs(lm, prompts, answers, temperature=[step.temperature for step in steps])
    return [
        replace(step, logprobs=tuple(row[: len(step.token_ids)].tolist()))
        for step, row in zip(steps, logprobs, strict=True)
    ]


def episodes(count: int = 4) -> list[list[Step]]:
    """Return games of two own turns each, whose outcome is in the last of them."""
    steps = a_batch(2 * count)
    return [
        [replace(steps[2 * game], reward=0.0), replace(steps[2 * game + 1], reward=(-1.0) ** game)]
        for game in range(count)
    ]
