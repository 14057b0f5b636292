"""Scoring: log-probabilities are the model's own, token for token, whatever else is in the batch."""

import math

import pytest
import torch

from kit.errors import ContextLengthError, UsageError
from kit.lm.scoring import score, token_logprobs
from tests.lm.small import CONTEXT, VOCABULARY, gradients, small_lm

PROMPTS = [[5, 6, 7, 8], [9, 10], [5, 6, 7, 8, 11, 12, 13]]
ANSWERS = [[1, 2, 3], [4], [20, 21]]


@pytest.fixture(scope="module")
def lm():
    """A small model with its policy's adapter in use."""
    made = small_lm()
    with made.using("policy"):
        yield made


def full_pass(lm, prompt, answer, temperature=1.0):
    """Return the answer's log-probabilities from all logits of one row, position by position."""
    logits = lm.module(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].float() / temperature
    logprobs = torch.log_softmax(logits, -1)
    return [logprobs[len(prompt) - 1 + t, token] for t, token in enumerate(answer)]


def test_logprobs_are_those_of_a_full_forward_pass(lm):
    """Each token of an answer has the log-probability that the whole sequence's logits give it."""
    logprobs, mask = token_logprobs(lm, PROMPTS, ANSWERS)
    assert logprobs.shape == mask.shape == (3, 3)
    for row, (prompt, answer) in enumerate(zip(PROMPTS, ANSWERS, strict=True)):
        expected = torch.stack(full_pass(lm, prompt, answer))
        torch.testing.assert_close(logprobs[row, : len(answer)], expected, atol=1e-5, rtol=0)


def test_the_mask_has_the_answers_and_nothing_else(lm):
    """Padding is masked and has log-probability and entropy 0; prompts are nowhere in the result."""
    scores = score(lm, PROMPTS, ANSWERS, entropy=True)
    assert scores.mask.tolist() == [[True, True, True], [True, False, False], [True, True, False]]
    assert not scores.logprobs[~scores.mask].any()
    assert not scores.entropy[~scores.mask].any()


def test_a_row_does_not_depend_on_the_others(lm):
    """A row scored alone and in a batch of longer ones has the same log-probabilities to 1e-5."""
    together, _ = token_logprobs(lm, PROMPTS, ANSWERS)
    for row, (prompt, answer) in enumerate(zip(PROMPTS, ANSWERS, strict=True)):
        alone, _ = token_logprobs(lm, [prompt], [answer])
        torch.testing.assert_close(together[row, : len(answer)], alone[0], atol=1e-5, rtol=0)


def test_which_token_pads_changes_nothing():
    """The padding's own token is in no score and in no gradient, to the last bit."""
    found = []
    for fill in (0, 33):
        lm = small_lm()
        lm.tokenizer.pad_token_id = fill
        with lm.using("policy"):
            logprobs, mask = token_logprobs(lm, PROMPTS, ANSWERS)
            (logprobs * mask).sum().backward()
        found.append([logprobs.detach(), *gradients(lm)])
    assert len(found[0]) > 1
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("temperature", [0.6, 2.0, [1.0, 0.5, 2.0]])
def test_logits_are_divided_by_the_temperature(lm, temperature):
    """The distribution scored is the one that was sampled from, one temperature for all rows or one for each."""
    logprobs, _ = token_logprobs(lm, PROMPTS, ANSWERS, temperature=temperature)
    each = temperature if isinstance(temperature, list) else [temperature] * 3
    for row, (prompt, answer) in enumerate(zip(PROMPTS, ANSWERS, strict=True)):
        expected = torch.stack(full_pass(lm, prompt, answer, each[row]))
        torch.testing.assert_close(logprobs[row, : len(answer)], expected, atol=1e-5, rtol=0)


def test_temperature_zero_is_scored_untempered(lm):
    """Greedy answers have the log-probabilities of the distribution as it is."""
    greedy, _ = token_logprobs(lm, PROMPTS, ANSWERS, temperature=0.0)
    plain, _ = token_logprobs(lm, PROMPTS, ANSWERS)
    assert torch.equal(greedy, plain)


@pytest.mark.parametrize(("max_length", "kept"), [(100, 7), (9, 7), (8, 6), (4, 2), (2, 1), (1, 1)])
def test_a_long_context_is_cut_on_the_left_of_the_prompt(lm, max_length, kept):
    """The prompt loses its first tokens, down to one; the answer keeps all of its own."""
    cut, mask = token_logprobs(lm, PROMPTS[2:], ANSWERS[2:], max_length=max_length)
    by_hand, _ = token_logprobs(lm, [PROMPTS[2][-kept:]], ANSWERS[2:])
    assert torch.equal(cut, by_hand)
    assert mask.sum() == len(ANSWERS[2])


def test_logits_are_computed_where_an_answer_is_predicted_only(lm):
    """As many positions go through the head as the answers have tokens, with gradients and without."""
    seen = []
    hook = lm.module.get_output_embeddings().register_forward_hook(
        lambda _, inputs, out: seen.append(out.shape)
    )
    try:
        token_logprobs(lm, PROMPTS, ANSWERS)
    finally:
        hook.remove()
    assert seen == [(1, 6, VOCABULARY)]


def test_a_model_whose_head_cannot_be_reached_scores_the_same(lm):
    """Without a head to thin out, all logits are computed and the right ones taken."""
    expected, _ = token_logprobs(lm, PROMPTS, ANSWERS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(lm.module), "get_output_embeddings", lambda self: None)
        logprobs, _ = token_logprobs(lm, PROMPTS, ANSWERS)
    torch.testing.assert_close(logprobs, expected, atol=1e-5, rtol=0)


def test_the_entropy_is_that_of_each_distribution(lm):
    """−Σ p log p over the vocabulary at each place, without a gradient; ln V where all tokens are alike."""
    scores = score(lm, PROMPTS, ANSWERS, temperature=1e9, entropy=True)
    torch.testing.assert_close(scores.entropy[scores.mask], torch.full((6,), math.log(VOCABULARY)))
    scores = score(lm, PROMPTS[:1], ANSWERS[:1], entropy=True)
    logits = lm.module(input_ids=torch.tensor([PROMPTS[0] + ANSWERS[0]])).logits[0, 3:6]
    expected = torch.distributions.Categorical(logits=logits).entropy()
    torch.testing.assert_close(scores.entropy[0], expected.detach())
    assert not scores.entropy.requires_grad
    differentiable = score(lm, PROMPTS[:1], ANSWERS[:1], entropy_gradient=True).entropy
    assert differentiable.requires_grad
    torch.testing.assert_close(differentiable[0], expected)
    assert scores.logprobs.requires_grad


def test_half_precision_is_scored_in_single():
    """Log-probabilities are fp32 whatever the model is, normalised in fp32."""
    lm = small_lm(dtype=torch.bfloat16)
    with lm.using("policy"):
        every = [[token] for token in range(VOCABULARY)]
        logprobs, _ = token_logprobs(lm, PROMPTS[:1] * VOCABULARY, every)
    assert logprobs.dtype == torch.float32
    assert float(logprobs.detach().exp().sum()) == pytest.approx(1.0, abs=1e-3)


def test_a_sequence_beyond_the_context_is_refused(lm):
    """The message has both lengths."""
    with pytest.raises(ContextLengthError, match=rf"70 tokens.*{CONTEXT}"):
        token_logprobs(lm, [[1] * 68], [[1, 2, 3]])


@pytest.mark.parametrize(
    ("prompts", "answers", "temperature"),
    [([], [], 1.0), ([[1]], [], 1.0), ([[]], [[1]], 1.0), ([[1]], [[1]], -0.5), ([[1]], [[1]], [1.0, 1.0])],
)
def test_what_cannot_be_scored_is_refused(lm, prompts, answers, temperature):
    """No rows, unequal numbers of them, an empty prompt, or temperatures that fit nothing."""
    with pytest.raises(UsageError):
        token_logprobs(lm, prompts, answers, temperature=temperature)


def test_an_empty_answer_has_nothing_to_score(lm):
    """It has a row without a single token, and the rows beside it are as ever."""
    logprobs, mask = token_logprobs(lm, PROMPTS[:2], [[], [4]])
    alone, _ = token_logprobs(lm, PROMPTS[1:2], [[4]])
    assert mask.tolist() == [[False], [True]]
    torch.testing.assert_close(logprobs[1], alone[0], atol=1e-5, rtol=0)
