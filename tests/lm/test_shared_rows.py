"""Answers that are the same so far are computed once, and stay answers of their own."""

import pytest
import torch

from kit.lm.generation import Prompt, Request, Sampling
from kit.lm.transformers_backend import WORTH_CACHING, TransformersBackend
from tests.lm.conftest import RULES, STATES
from tests.lm.test_transformers_backend import logprobs_in_full, same

SAMPLING = Sampling(temperature=0.5, max_tokens=6, stop=("a", "e", " "))


def shapes_read(lm):
    """Return a list that grows by (rows, tokens) of what the model reads, call for call."""
    read = []
    lm.module.register_forward_pre_hook(
        lambda module, args, kwargs: read.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    return read


def asked(count=40, fixed=RULES, sampling=SAMPLING):
    """Return requests, eight to each of five prompts, each with a seed of its own."""
    return [Request(Prompt(fixed, STATES[number % 5]), 100 + number, sampling) for number in range(count)]


@pytest.mark.parametrize("fixed", [RULES, "Kuhn\n", ""])
def test_many_answers_to_one_prompt_are_those_asked_for_alone(lm, fixed):
    """Each by its own seed, with the log-probabilities of a full pass."""
    backend = TransformersBackend(lm)
    together = backend.generate(asked(fixed=fixed))
    same([backend.generate([request])[0] for request in asked(fixed=fixed)], together)
    assert len({answer.token_ids for answer in together}) > 10
    for answer in together:
        assert torch.tensor(answer.logprobs) == pytest.approx(logprobs_in_full(lm, answer, 0.5), abs=1e-4)


def test_a_row_stands_for_all_answers_that_are_the_same_so_far(lm):
    """As many rows as distinct prompts, then as distinct beginnings of answers that have not ended."""
    read = shapes_read(lm)
    answers = TransformersBackend(lm).generate(asked())
    beginnings = [
        len(
            {
                (answer.prompt_ids, answer.token_ids[:turn])
                for answer in answers
                if len(answer.token_ids) > turn
            }
        )
        for turn in range(SAMPLING.max_tokens)
    ]
    assert beginnings[0] == 5
    assert max(beginnings) > 5
    wanted = [rows for rows in beginnings if rows]
    assert [rows for rows, _ in read[1:]] == wanted  # the first is the fixed prompt's


def test_greedy_answers_to_one_prompt_take_one_row(lm):
    """However many they are, they never part."""
    read = shapes_read(lm)
    request = asked(1, sampling=Sampling(temperature=0.0, max_tokens=6))[0]
    answers = TransformersBackend(lm).generate([request] * 30)
    assert len({answer.token_ids for answer in answers}) == 1
    assert {rows for rows, _ in read} == {1}


def test_a_short_fixed_part_is_read_with_the_rest(lm):
    """Prompts of all roles make one batch; nothing is kept of a part that is shorter than is worth it."""
    read, backend = shapes_read(lm), TransformersBackend(lm)
    roles = [Request(Prompt(f"abcd{number}\n", "J bet"), 1, Sampling(max_tokens=1)) for number in range(2)]
    assert len(lm.tokens(roles[0].prompt.fixed)) < WORTH_CACHING
    answers = backend.generate(roles)
    assert (len(backend.prompts), len(read), read[0][0]) == (0, 1, 2)
    assert [list(answer.prompt_ids) for answer in answers] == [
        lm.tokens(request.prompt.fixed) + lm.tokens(request.prompt.rest) for request in roles
    ]
