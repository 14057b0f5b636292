"""A2C: a critic that tells states apart, advantages over a player's own turns, and both of them learn."""

from dataclasses import replace

import pytest
import torch

from kit.errors import UsageError
from kit.league.gae import normalised
from kit.league.learners import A2C, LearnerSettings
from kit.league.learners.a2c import own_turns
from kit.league.learners.policy_gradient import PolicyGradient
from kit.lm.lora import LoraSettings
from tests.league.batches import a_step, episodes
from tests.lm.small import gradients, small_lm, speak_up

SETTINGS = LearnerSettings(mini_batch_size=3, learning_rate=0.01, max_generation_len=16)


def a_learner(settings=SETTINGS, **algorithm):
    """Return an A2C learner on a fresh small model."""
    learner = A2C(small_lm(), settings)
    learner.initialize_algorithm(critic_learning_rate=0.02, **algorithm)
    return learner


def test_the_outcome_is_counted_once():
    """Two turns and one point at the end: both returns are 1, as far as the values go."""
    learner = a_learner(normalize_adv=False)
    judged = learner._judge([[a_step(0, reward=0.0), a_step(1, reward=1.0)]])
    assert judged.returns == pytest.approx([1.0, 1.0])
    assert judged.advantages == pytest.approx([1.0 - value for value in judged.values])


def test_players_turns_are_taken_apart():
    """An episode of two players in turn gives each its own returns, by game and player."""
    episode = [
        a_step(turn, pid=turn % 2, game=3, turn=turn, reward=(0, 0, 1.0, -1.0)[turn]) for turn in range(4)
    ]
    assert [[step.turn for step in own] for own in own_turns(episode)] == [[0, 2], [1, 3]]
    judged = a_learner()._judge([episode])
    assert [step.turn for step in judged.steps] == [0, 2, 1, 3]
    assert judged.returns == pytest.approx([1.0, 1.0, -1.0, -1.0])


def test_values_do_not_depend_on_how_many_are_inferred_together():
    """infer_mini_batch_size is a matter of memory."""
    one, many = (a_learner(infer_mini_batch_size=size)._judge(episodes()) for size in (1, 16))
    assert one.values == pytest.approx(many.values, abs=1e-5)


def test_one_micro_batch_of_eight_is_eight_of_one():
    """Policy and critic have the same gradients to rounding, however the steps are cut up."""
    found = []
    for size in (1, 8):
        learner = a_learner(replace(SETTINGS, mini_batch_size=size))
        with learner.lm.using("policy"):
            metrics = learner._update(episodes())
        head = learner.critic.head.weight.grad
        found.append((gradients(learner.lm, "policy"), [*gradients(learner.lm, "critic"), head], metrics))
    for one, other in zip(found[0][:2], found[1][:2], strict=True):
        scale = max(float(part.abs().max()) for part in one)
        assert scale > 0
        for part, same in zip(one, other, strict=True):
            torch.testing.assert_close(part, same, atol=1e-5 * scale, rtol=0)
    assert found[0][2] == pytest.approx(found[1][2], rel=1e-4, abs=1e-6)


def test_the_value_loss_is_half_the_mean_square():
    """½ (V − R)², averaged over the steps of the batch."""
    learner = a_learner()
    judged = learner._judge(episodes())
    errors = [(value - wanted) ** 2 for value, wanted in zip(judged.values, judged.returns, strict=True)]
    metrics = learner.update(episodes())
    assert metrics["value_loss"] == pytest.approx(0.5 * sum(errors) / len(errors), rel=1e-4)
    assert metrics["mean_value"] == pytest.approx(sum(judged.values) / len(errors), rel=1e-5)
    assert metrics["mean_return"] == pytest.approx(sum(judged.returns) / len(errors))


def test_each_loss_has_its_own_adapter():
    """The value's gradient is in the critic's adapter and its head, the policy's is what it is without a critic."""
    learner, batch = a_learner(), episodes()
    speak_up(learner.lm, "critic", 5)
    judged = learner._judge(batch)
    with learner.lm.using("policy"):
        learner._update(batch)
    found = gradients(learner.lm, "policy")
    assert all(one.grad.any() for one in learner.critic.parameters().values())
    learner.optimizers["policy"].clear()
    with learner.lm.using("policy"):
        gradient = PolicyGradient(SETTINGS)
        gradient.accumulate(learner.lm, judged.steps, normalised(judged.advantages), learner.backward)
    assert all(torch.equal(one, other) for one, other in zip(found, gradients(learner.lm), strict=True))


def test_the_critic_learns_the_outcomes():
    """Updates on the same games bring the values to their returns."""
    settings = LearnerSettings(
        mini_batch_size=8, gradient_clipping=5.0, activation_checkpointing=False, gradient_checkpointing=False
    )
    learner = a_learner(settings)
    losses = [learner.update(episodes())["value_loss"] for _ in range(25)]
    assert losses[-1] < 0.3 * losses[0]


def test_equal_advantages_teach_the_policy_nothing():
    """Normalised, games that all ended alike with values that are all alike have advantage 0, never NaN."""
    learner = a_learner()
    with torch.no_grad():
        learner.critic.head.weight.zero_()
    metrics = learner.update([[a_step(number, reward=1.0)] for number in range(4)])
    assert metrics["gradient_norm"] == 0.0
    assert metrics["mean_advantage"] == 1.0
    assert metrics["critic_gradient_norm"] > 0.0


def test_the_critics_state_is_the_prompt_cut_like_the_policys():
    """max_train_len holds for states too: what is cut is at the left."""
    short = a_step(2, prompt_ids=(12, 13))
    cut = a_learner(replace(SETTINGS, max_train_len=2))._judge([[a_step(2)]])
    assert cut.values == a_learner()._judge([[short]]).values


def test_a_critic_of_its_own_size():
    """Its adapter is as large as the policy's unless it is told otherwise."""
    like = a_learner().optimizers["critic"].parameters
    larger = a_learner(critic_lora=LoraSettings(rank=8, alpha=8)).optimizers["critic"].parameters
    assert sum(one.numel() for one in larger.values()) - 33 == 2 * (
        sum(one.numel() for one in like.values()) - 33
    )


def test_without_its_critic_it_refuses():
    """Update and load_state_dict before initialize_algorithm say so; twice is refused as well."""
    learner = A2C(small_lm(), SETTINGS)
    with pytest.raises(UsageError, match="initialize_algorithm"):
        learner.update(episodes())
    with pytest.raises(UsageError, match="initialize_algorithm"):
        learner.load_state_dict(a_learner().state_dict())
    learner.initialize_algorithm()
    with pytest.raises(UsageError, match="once"):
        learner.initialize_algorithm()


@pytest.mark.parametrize(
    "setting", [{"infer_mini_batch_size": 0}, {"critic_learning_rate": 0.0}, {"gamma": 1.5}, {"lam": -1.0}]
)
def test_settings_out_of_range_are_refused(setting):
    """Before a critic is made, so that it can be called again."""
    learner = A2C(small_lm(), SETTINGS)
    with pytest.raises(UsageError, match=next(iter(setting))):
        learner.initialize_algorithm(**setting)
    learner.initialize_algorithm()
