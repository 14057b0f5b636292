"""BaseLearner: an update happens whole or not at all, and a learner that comes back goes on bit for bit."""

from dataclasses import replace
from math import inf, nan
from types import MappingProxyType

import pytest
import torch

from kit.errors import DivergenceError, UnknownNameError, UsageError
from kit.league.learners import A2C, BaseLearner, LearnerSettings, Reinforce
from kit.tensors import decode, encode
from tests.league.batches import a_batch, a_step, episodes
from tests.lm.small import gradients, small_lm

SETTINGS = LearnerSettings(mini_batch_size=3, learning_rate=0.01, max_generation_len=8)


def a_learner(kind=Reinforce, settings=SETTINGS, **lm):
    """Return a fresh learner on a fresh model, ready to learn."""
    learner = kind(small_lm(**lm), settings)
    learner.initialize_algorithm()
    return learner


def batch_for(learner):
    """Return a batch in the shape that the learner takes."""
    return a_batch() if learner.batch_of == "steps" else episodes()


def same(one, other):
    """Whether two states are equal to the last bit, through the form that a checkpoint has."""
    return encode(one) == encode(other)


@pytest.mark.parametrize("kind", [Reinforce, A2C])
def test_a_learner_that_comes_back_goes_on_bit_for_bit(kind):
    """Two updates, and one, a checkpoint, fresh objects and the other: the same weights, optimizer and metrics."""
    straight = a_learner(kind)
    straight.update(batch_for(straight))
    saved = encode(straight.state_dict())
    last = straight.update(batch_for(straight))
    resumed = a_learner(kind, seed=0)
    resumed.load_state_dict(decode(saved))
    assert resumed.policy_version == 1
    assert resumed.update(batch_for(resumed)) == last
    assert same(resumed.state_dict(), straight.state_dict())


def test_a_learning_rate_that_decays_goes_on_where_it_was():
    """By hand: 0.01 / (1 + n / 2) after n updates, of policy and critic alike; one that comes back is no further."""
    settings = replace(SETTINGS, halved_after=2.0)
    straight = a_learner(A2C, settings)
    for _ in range(3):
        straight.update(batch_for(straight))
    rates = {name: group_of(optimizer)["lr"] for name, optimizer in straight.optimizers.items()}
    assert rates == pytest.approx({"policy": 0.01 / 2, "critic": 1e-5 / 2})
    resumed = a_learner(A2C, settings)
    resumed.load_state_dict(decode(encode(straight.state_dict())))
    assert resumed.update(batch_for(resumed)) == straight.update(batch_for(straight))
    assert same(resumed.state_dict(), straight.state_dict())
    assert group_of(resumed.optimizers["policy"])["lr"] == pytest.approx(0.01 / 2.5)


def group_of(optimizer):
    """Return what AdamW says of the parameters."""
    return optimizer.state_dict()["adamw"]["param_groups"][0]


def test_a_state_is_a_copy():
    """What was saved is not changed by the updates after it."""
    learner = a_learner()
    learner.update(a_batch())
    state = learner.state_dict()
    before = encode(state)
    learner.update(a_batch())
    assert encode(state) == before
    assert not same(learner.state_dict(), state)


@pytest.mark.parametrize("kind", [Reinforce, A2C])
@pytest.mark.parametrize("reward", [nan, inf])
def test_a_loss_that_is_not_finite_names_its_games_and_changes_nothing(kind, reward):
    """The message has the game and its turn; weights, optimizer and version are as before, to the last bit."""
    learner = a_learner(kind)
    learner.update(batch_for(learner))
    before = learner.state_dict()
    bad = a_step(1, game=77, turn=5, reward=reward)
    batch = [*a_batch(), bad] if kind is Reinforce else [*episodes(), [bad]]
    with pytest.raises(DivergenceError, match=r"update 2.*game 77 \(turn 5\)"):
        learner.update(batch)
    assert same(learner.state_dict(), before)
    assert not gradients(learner.lm)
    learner.update(batch_for(learner))


class Steep(BaseLearner):
    """A loss that is finite with a gradient that is not: √x at 0."""

    def _update(self, batch):
        weight = self.lm.trainable("policy")[0]
        self.backward((weight - weight.detach()).sum().sqrt(), batch)
        return {}


def test_a_gradient_that_is_not_finite_names_its_games_and_changes_nothing():
    """It is seen before any weight moves; the whole batch is named, since it was added up."""
    learner = a_learner(Steep)
    before = learner.state_dict()
    with pytest.raises(DivergenceError, match=r"gradient is (nan|inf).*game 0 \(turns 0, 1\), game 1"):
        learner.update(a_batch())
    assert same(learner.state_dict(), before)


class Broken(Reinforce):
    """A learner with a bug, half-way through its batch."""

    def _update(self, batch):
        super()._update(batch)
        raise ZeroDivisionError


def test_an_error_surfaces_at_once_and_leaves_nothing_behind():
    """It is the learner's own, raised from update(); no gradient of it is in the next one."""
    learner = a_learner(Broken)
    before = learner.state_dict()
    with pytest.raises(ZeroDivisionError):
        learner.update(a_batch())
    assert same(learner.state_dict(), before)
    assert not gradients(learner.lm)


def test_a_learner_that_learns_nothing_is_no_learner():
    """No metrics, and losses that never reach backward(), are told with the class; a gradient of 0 is one."""
    lm = small_lm()

    class Forgetful(BaseLearner):
        gives = MappingProxyType({"loss": 0.0})

        def _update(self, batch):
            return self.gives

    class Content(BaseLearner):
        def _update(self, batch):
            self.backward(sum(one.sum() for one in self.lm.trainable("policy")) * 0.0, batch)
            return {}

    forgetful = Forgetful(lm, LearnerSettings(batch_size=8))
    with pytest.raises(UsageError, match=r"Forgetful\._update added no gradient.*self\.backward"):
        forgetful.update(a_batch())
    forgetful.gives = None
    with pytest.raises(UsageError, match=r"Forgetful\._update returned None"):
        forgetful.update(a_batch())
    assert forgetful.policy_version == 0
    assert Content(lm, LearnerSettings(batch_size=8)).update(a_batch())["gradient_norm"] == 0.0


def test_gradients_are_clipped_by_their_common_norm():
    """SGD would move by the clipped gradient; the metric is the norm before clipping."""
    learner = a_learner(settings=replace(SETTINGS, gradient_clipping=1e-3))
    seen = []
    optimizer = learner.optimizers["policy"]
    step = optimizer._adamw.step
    optimizer._adamw.step = lambda: (seen.append(optimizer.norm()), step())
    metrics = learner.update(a_batch())
    assert metrics["gradient_norm"] > 1e-3
    assert seen == [pytest.approx(1e-3, rel=1e-4)]


@pytest.mark.parametrize("checkpointing", [False, True])
def test_only_the_policys_adapter_moves(checkpointing):
    """The model's own weights and other adapters are as they were; which adapter answers is as before."""
    settings = replace(SETTINGS, activation_checkpointing=checkpointing, gradient_checkpointing=checkpointing)
    learner = a_learner(A2C, settings)
    own = {id(one) for optimizer in learner.optimizers.values() for one in optimizer.parameters.values()}
    others = [one for one in learner.lm.module.parameters() if id(one) not in own]
    before = [one.detach().clone() for one in others]
    learner.update(episodes())
    assert len(others) > 10
    assert all(torch.equal(one, other) for one, other in zip(others, before, strict=True))


def test_computing_layers_again_uses_the_adapter_that_computed_them():
    """With two adapters on one backbone, both switches on give the gradient of both switches off."""
    states = []
    for switch in (False, True):
        settings = replace(SETTINGS, activation_checkpointing=switch, gradient_checkpointing=switch)
        learner = a_learner(A2C, settings)
        norms = [learner.update(episodes()) for _ in range(3)]
        states.append([(norm["gradient_norm"], norm["critic_gradient_norm"]) for norm in norms])
    assert states[0] == [pytest.approx(pair, rel=1e-4) for pair in states[1]]
    assert all(min(pair) > 0 for pair in states[0])


def test_half_precision_learns_from_gradients_it_cannot_hold():
    """In fp16 a loss over thousands of tokens has gradients below 6e-8: scaled, they come out as in fp32."""
    settings = replace(SETTINGS, max_generation_len=2_000_000)
    found = {}
    for dtype, scale in ((torch.float32, 1.0), (torch.float16, 2.0**16), (torch.float16, 1.0)):
        learner = a_learner(settings=settings, dtype=dtype)
        learner.loss_scale.value = scale
        found[dtype, scale] = learner.update(a_batch())["gradient_norm"]
    expected = found[torch.float32, 1.0]
    assert found[torch.float16, 2.0**16] == pytest.approx(expected, rel=0.05)
    assert found[torch.float16, 1.0] != pytest.approx(expected, rel=0.05)


def test_a_loss_scale_that_overflows_is_lowered_and_the_batch_taken_again():
    """An overflow of our own making is no divergence: the update is that of a scale that fits."""
    learner = a_learner(dtype=torch.float16)
    learner.loss_scale.value = 2.0**28
    metrics = learner.update(a_batch())
    assert 2.0**16 <= learner.loss_scale.value < 2.0**28
    other = a_learner(dtype=torch.float16)
    assert metrics["gradient_norm"] == pytest.approx(other.update(a_batch())["gradient_norm"], rel=0.01)
    assert learner.policy_version == 1


def test_a_learner_of_another_kind_is_not_put_back():
    """States of another algorithm or of another adapter are refused, and nothing is changed."""
    learner, before = a_learner(), a_learner().state_dict()
    with pytest.raises(UsageError, match="critic, policy"):
        learner.load_state_dict(a_learner(A2C).state_dict())
    other = a_learner().state_dict()
    weights = other["optimizers"]["policy"]["weights"]
    weights[next(iter(weights))] = torch.zeros(3)
    with pytest.raises(UsageError, match="1 differ"):
        learner.load_state_dict(other)
    assert same(learner.state_dict(), before)


def test_a_model_without_a_policy_is_refused():
    """There has to be an adapter to train."""
    with pytest.raises(UsageError, match="policy"):
        Reinforce(small_lm(adapted=False), SETTINGS)


@pytest.mark.parametrize("batch", [[], [a_step(token_ids=(), logprobs=())]])
def test_a_batch_with_nothing_in_it_is_refused(batch):
    """No step, or no token in any."""
    with pytest.raises(UsageError):
        a_learner().update(batch)


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_size": 0},
        {"mini_batch_size": 0},
        {"max_generation_len": 0},
        {"max_train_len": 0},
        {"learning_rate": 0.0},
        {"learning_rate": nan},
        {"gradient_clipping": -1.0},
        {"weight_decay": -0.1},
        {"halved_after": 0.0},
    ],
)
def test_settings_out_of_range_are_refused(settings):
    """The message names the setting."""
    with pytest.raises(UsageError, match=next(iter(settings))):
        LearnerSettings(**settings)


def test_misspelt_names_are_refused_with_the_nearest():
    """A loss, and a setting of an algorithm."""
    with pytest.raises(UnknownNameError) as error:
        LearnerSettings(loss="token-averaged")
    assert error.value.nearest == "token-average"
    with pytest.raises(UnknownNameError) as error:
        a_learner().initialize_algorithm(importance_clips=1.0)
    assert error.value.nearest == "importance_clip"


def test_what_every_learner_can_set_late_is_set():
    """The lengths, as in the documented call."""
    learner = a_learner()
    learner.initialize_algorithm(max_train_len=5, max_generation_len=16)
    assert (learner.settings.max_train_len, learner.settings.max_generation_len) == (5, 16)
