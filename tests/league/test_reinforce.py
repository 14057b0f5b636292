"""REINFORCE: the gradient by hand, whatever the batch is cut into, and from nothing but the sampled tokens."""

from dataclasses import replace
from math import log

import pytest
import torch

from kit.errors import UsageError
from kit.league.learners import LearnerSettings, Reinforce
from kit.league.learners.policy_gradient import micro_batches
from kit.lm.scoring import score, token_logprobs
from tests.league.batches import a_batch, a_step, sampled
from tests.lm.small import gradients, small_lm

SETTINGS = LearnerSettings(mini_batch_size=8, learning_rate=0.01, max_generation_len=16)


def gradient_of(settings, batch, **algorithm):
    """Return (gradients, metrics) of one batch, without the step."""
    learner = Reinforce(small_lm(), settings)
    learner.initialize_algorithm(**algorithm)
    with learner.lm.using("policy"):
        metrics = learner._update(batch)
    return gradients(learner.lm), metrics


@pytest.mark.parametrize("loss", ["length-constant", "token-average"])
def test_one_micro_batch_of_eight_is_eight_of_one(loss):
    """However a batch is cut up, its gradient is the same to 1e-5, relative to the largest; so is its loss."""
    settings = replace(SETTINGS, loss=loss)
    whole, metrics = gradient_of(settings, a_batch())
    for size in (1, 3):
        parts, cut = gradient_of(replace(settings, mini_batch_size=size), a_batch())
        scale = max(float(one.abs().max()) for one in whole)
        for one, other in zip(whole, parts, strict=True):
            torch.testing.assert_close(one, other, atol=1e-5 * scale, rtol=0)
        assert cut == pytest.approx(metrics, rel=1e-5)


@pytest.mark.parametrize(("loss", "divisor"), [("length-constant", 8 * 16), ("token-average", None)])
def test_the_loss_by_hand(loss, divisor):
    """−Σ reward · Σ log p, over steps × 16 or over the tokens of the batch; and the gradient is its gradient."""
    batch = a_batch()
    divisor = divisor or sum(len(step.token_ids) for step in batch)
    lm = small_lm()
    with lm.using("policy"):
        expected = 0.0
        for step in batch:
            logprobs, _ = token_logprobs(lm, [step.prompt_ids], [step.token_ids])
            expected = expected - step.reward * logprobs.sum() / divisor
        expected.backward()
    found, metrics = gradient_of(replace(SETTINGS, loss=loss), batch)
    assert metrics["loss"] == pytest.approx(float(expected.detach()), rel=1e-5)
    for one, other in zip(found, gradients(lm), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def test_what_was_rewarded_becomes_likelier():
    """After some updates on one good answer and one bad one to a state, the good one gained and the bad one lost."""
    lm = small_lm()
    good = a_step(reward=1.0, token_ids=(1, 2), logprobs=(-1.0, -1.0))
    bad = a_step(reward=-1.0, token_ids=(3, 4), logprobs=(-1.0, -1.0))
    before = sampled(lm, [good, bad])
    learner = Reinforce(lm, SETTINGS)
    for _ in range(5):
        learner.update([good, bad])
    after = sampled(lm, [good, bad])
    assert sum(after[0].logprobs) > sum(before[0].logprobs)
    assert sum(after[1].logprobs) < sum(before[1].logprobs)


def test_no_text_is_tokenised_again():
    """Only the tokens are learnt from: other texts, and a tokenizer that can do nothing but pad, change no bit."""
    expected, _ = gradient_of(SETTINGS, a_batch())
    lm = small_lm()

    class OnlyPads:
        pad_token_id = 0

    lm.tokenizer = OnlyPads()
    learner = Reinforce(lm, SETTINGS)
    with lm.using("policy"):
        learner._update([replace(step, prompt="other", text="words") for step in a_batch()])
    assert all(torch.equal(one, other) for one, other in zip(gradients(lm), expected, strict=True))


def test_fresh_steps_are_as_likely_as_when_they_were_sampled():
    """On-policy the log-probabilities differ by rounding; staleness counts the updates since."""
    lm = small_lm()
    batch = sampled(lm, [replace(step, temperature=0.7) for step in a_batch()])
    learner = Reinforce(lm, SETTINGS)
    metrics = learner.update(batch)
    assert metrics["logprob_change"] < 1e-5
    assert metrics["staleness"] == 0.0
    again = learner.update(batch)
    assert again["logprob_change"] > 1e-4
    assert again["staleness"] == 1.0


def test_metrics_are_of_the_batch():
    """Mean reward of a step, log-probability and entropy of a token, and how many tokens there were."""
    lm = small_lm()
    batch = sampled(lm, a_batch())
    metrics = Reinforce(lm, SETTINGS).update(batch)
    tokens = sum(len(step.token_ids) for step in batch)
    assert metrics["tokens"] == tokens
    assert metrics["mean_reward"] == pytest.approx(sum(step.reward for step in batch) / 8)
    expected = sum(sum(step.logprobs) for step in batch) / tokens
    assert metrics["mean_logprob"] == pytest.approx(expected, rel=1e-5)
    assert 0.0 < metrics["entropy"] < log(40)
    assert set(metrics) == {
        "loss", "gradient_norm", "mean_reward", "mean_logprob", "entropy", "tokens", "staleness", "logprob_change",
    }  # fmt: skip


def test_truncated_importance_weights_by_hand():
    """A token that was half as likely then counts twice, one that was ten times rarer no more than the clip."""
    lm = small_lm()
    now = sampled(lm, [a_step(1, token_ids=(4, 5), reward=2.0, logprobs=(0.0, 0.0))])[0]
    then = tuple(logprob - log(ratio) for logprob, ratio in zip(now.logprobs, (2.0, 10.0), strict=True))
    with lm.using("policy"):
        logprobs, _ = token_logprobs(lm, [now.prompt_ids], [now.token_ids])
        (-2.0 * (2.0 * logprobs[0, 0] + 3.0 * logprobs[0, 1]) / 16).backward()
    found, metrics = gradient_of(SETTINGS, [replace(now, logprobs=then)], importance_clip=3.0)
    assert metrics["mean_importance"] == pytest.approx(2.5, rel=1e-5)
    for one, other in zip(found, gradients(lm), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def test_the_bonus_for_entropy_by_hand():
    """It adds −c Σ H / Z to the loss, and the gradient of that; entropy itself is measured as ever."""
    batch = a_batch()
    prompts, answers = [step.prompt_ids for step in batch], [step.token_ids for step in batch]
    lm = small_lm()
    with lm.using("policy"):
        expected = -0.3 * score(lm, prompts, answers, entropy_gradient=True).entropy.sum() / (8 * 16)
        expected.backward()
    plain, before = gradient_of(SETTINGS, batch)
    found, metrics = gradient_of(SETTINGS, batch, entropy_coefficient=0.3)
    assert metrics["loss"] - before["loss"] == pytest.approx(float(expected.detach()), rel=1e-4)
    assert metrics["entropy"] == pytest.approx(before["entropy"], rel=1e-6)
    for whole, one, other in zip(found, plain, gradients(lm), strict=True):
        torch.testing.assert_close(whole, one + other, atol=1e-6, rtol=1e-4)


def test_a_bonus_for_entropy_makes_a_policy_less_sure():
    """Where nothing is rewarded it is all that is learnt."""
    learner = Reinforce(small_lm(), SETTINGS)
    learner.initialize_algorithm(entropy_coefficient=1.0)
    batch = [replace(step, reward=0.0) for step in a_batch()]
    found = [learner.update(batch)["entropy"] for _ in range(5)]
    assert found == sorted(found)
    assert found[-1] > found[0]


@pytest.mark.parametrize("coefficient", [-0.1, float("nan"), float("inf")])
def test_a_bonus_that_is_none_is_refused(coefficient):
    """A negative one would make policies sure of anything; what is no number nobody can mean."""
    with pytest.raises(UsageError, match="entropy_coefficient"):
        gradient_of(SETTINGS, a_batch(), entropy_coefficient=coefficient)


def test_importance_weights_of_fresh_steps_are_one():
    """For steps of the policy as it is they change nothing but rounding."""
    batch = sampled(small_lm(), a_batch())
    plain, _ = gradient_of(SETTINGS, batch)
    weighted, metrics = gradient_of(SETTINGS, batch, importance_clip=5.0)
    assert metrics["mean_importance"] == pytest.approx(1.0, abs=1e-5)
    for one, other in zip(plain, weighted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def test_a_clip_that_is_none_is_refused():
    """It has to be above 0; None means no weights."""
    with pytest.raises(UsageError, match="importance_clip"):
        Reinforce(small_lm(), SETTINGS).initialize_algorithm(importance_clip=0.0)


def test_the_longest_prompt_is_cut_for_the_loss_alone():
    """max_train_len takes tokens from the left of the prompt: the gradient is that of the shorter prompt."""
    long = a_step(2)
    short = replace(long, prompt_ids=long.prompt_ids[-2:])
    cut, _ = gradient_of(replace(SETTINGS, max_train_len=2 + len(long.token_ids)), [long])
    expected, _ = gradient_of(SETTINGS, [short])
    assert all(torch.equal(one, other) for one, other in zip(cut, expected, strict=True))


def test_micro_batches_have_every_step_once_and_like_lengths_together():
    """Sorted by length, which is what padding costs; equal lengths stay in order."""
    batch = a_batch(11)
    found = list(micro_batches(batch, 4))
    assert sorted(number for part in found for number in part) == list(range(11))
    assert [len(part) for part in found] == [4, 4, 3]
    lengths = [len(batch[n].prompt_ids) + len(batch[n].token_ids) for part in found for n in part]
    assert lengths == sorted(lengths)
