"""The anchor: what it takes off by hand, nothing where nothing was learnt yet, and a policy that stays nearer."""

from dataclasses import replace
from math import fsum

import pytest
import torch

from kit.errors import UsageError
from kit.league.learners import LearnerSettings, Reinforce
from kit.league.learners.anchor import Anchor
from kit.lm.lora import LoraSettings
from kit.lm.scoring import token_logprobs
from tests.league.batches import a_batch, a_step, sampled
from tests.lm.small import small_lm

SETTINGS = LearnerSettings(mini_batch_size=3, learning_rate=0.01, max_generation_len=16)


def of_the_base(lm, step):
    """Return log π₀ of a step's answer, computed for it alone."""
    with lm.using(None), torch.no_grad():
        logprobs, _ = token_logprobs(lm, [step.prompt_ids], [step.token_ids], temperature=step.temperature)
    return float(logprobs.sum())


def test_the_penalty_by_hand():
    """Each reward is less by β (k − mean k), k = log π − log π₀ of its answer; ``kl`` is the mean of k."""
    lm = small_lm()
    batch = sampled(lm, a_batch())
    away = [fsum(step.logprobs) - of_the_base(lm, step) for step in batch]
    mean = fsum(away) / len(away)
    with lm.using("policy"):
        rewards, metrics = Anchor(0.3).anchored(lm, batch, SETTINGS)
        assert lm.adapters.active == "policy", "the policy answers again behind it"
    expected = [step.reward - 0.3 * (one - mean) for step, one in zip(batch, away, strict=True)]
    assert rewards == pytest.approx(expected, abs=1e-4)
    assert metrics["kl"] == pytest.approx(mean, abs=1e-4)
    assert max(abs(one) for one in away) > 0.1, "the adapter says something"


def test_a_fresh_adapter_is_not_penalised():
    """Where the policy is still the model as it was loaded, every k is 0 and every reward as it was."""
    lm = small_lm(adapted=False)
    lm.adapt(LoraSettings(rank=4, alpha=8), name="policy")
    batch = sampled(lm, a_batch())
    rewards, metrics = Anchor(5.0).anchored(lm, batch, SETTINGS)
    assert rewards == pytest.approx([step.reward for step in batch], abs=1e-4)
    assert metrics["kl"] == pytest.approx(0.0, abs=1e-5)


def test_without_a_coefficient_nothing_changes():
    """β = 0 leaves rewards and metrics exactly as they were."""
    assert Anchor().anchored(small_lm(), a_batch(), SETTINGS) == ([step.reward for step in a_batch()], {})


def test_an_anchored_policy_stays_nearer():
    """After the same updates on rewards for one answer, the policy with an anchor is less far from the base."""
    far = []
    for coefficient in (0.0, 1.0):
        learner = Reinforce(small_lm(), SETTINGS)
        learner.initialize_algorithm(kl_coefficient=coefficient, momentum=0.0)
        good, bad = a_step(0, reward=0.5), a_step(4, reward=-0.5)
        for _ in range(12):
            learner.update(sampled(learner.lm, [good, bad]))
        [now] = sampled(learner.lm, [good])
        far.append(abs(fsum(now.logprobs) - of_the_base(learner.lm, good)))
    assert far[1] < far[0]


@pytest.mark.parametrize("coefficient", [-0.1, float("nan"), float("inf")])
def test_a_coefficient_that_is_none_is_refused(coefficient):
    """The setting is named."""
    with pytest.raises(UsageError, match="kl_coefficient"):
        Reinforce(small_lm(), SETTINGS).initialize_algorithm(kl_coefficient=coefficient)


def test_momentum_reaches_the_optimizer():
    """Set early or late, it is AdamW's β₁; without any a step against one before it is not held up."""
    early = Reinforce(small_lm(), replace(SETTINGS, momentum=0.5))
    late = Reinforce(small_lm(), SETTINGS)
    late.initialize_algorithm(momentum=0.0)
    assert [one.optimizers["policy"].momentum for one in (early, late)] == [0.5, 0.0]
    with pytest.raises(UsageError, match="momentum"):
        replace(SETTINGS, momentum=1.0)
