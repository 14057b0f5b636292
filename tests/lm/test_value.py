"""ValueModel: states are told apart, by an adapter that leaves the policy alone."""

import pytest
import torch

from kit.errors import UsageError
from kit.lm.head_positions import last_hidden
from kit.lm.lora import LoraSettings
from kit.lm.scoring import token_logprobs
from kit.lm.value import ValueModel
from tests.lm.small import gradients, small_lm

STATES = [[5, 6, 7, last] for last in range(10, 18)]
LORA = LoraSettings(rank=4, alpha=8)


@pytest.fixture
def lm():
    """A small model with a policy's adapter."""
    return small_lm()


def test_eight_states_have_eight_values(lm):
    """States that begin alike and end differently are worth different things; at position 0 they are one."""
    critic = ValueModel(lm, LORA)
    assert len(set(critic.infer(STATES, batch=8))) == 8
    with critic.using():
        first = last_hidden(lm.module, torch.tensor(STATES))[:, 0]
    assert torch.equal(first, first[:1].expand_as(first))


def test_a_value_does_not_depend_on_what_else_is_judged(lm):
    """Alone, in batches of any size, and beside longer states: the same value to 1e-5."""
    critic = ValueModel(lm, LORA)
    states = [*STATES, [5, 6], list(range(1, 30))]
    whole = critic.infer(states, batch=len(states))
    assert critic.infer(states, batch=1) == pytest.approx(whole, abs=1e-5)
    assert critic.infer(states, batch=3) == pytest.approx(whole, abs=1e-5)


def test_a_long_state_is_cut_on_its_left(lm):
    """Its last tokens are read, which say how the game stands."""
    critic = ValueModel(lm, LORA)
    assert critic.infer([[1, 2, *STATES[0]]], batch=1, max_length=4) == critic.infer(STATES[:1], batch=1)


def test_learning_values_leaves_the_policy_alone(lm):
    """The critic's gradients are its own, and a large step of it changes no log-probability by one bit."""

    def policy():
        with lm.using("policy"), torch.no_grad():
            return token_logprobs(lm, STATES, [[1, 2]] * 8)[0]

    before, critic = policy(), ValueModel(lm, LORA)
    optimizer = torch.optim.AdamW(critic.parameters().values(), lr=0.1)
    for _ in range(2):  # the adapter's B is zero in the first
        with critic.using():
            critic.values(STATES).square().sum().backward()
        optimizer.step()
    assert not gradients(lm, "policy")
    assert all(one.grad is not None and one.grad.any() for one in critic.parameters().values())
    assert torch.equal(policy(), before)


def test_values_follow_what_they_learn(lm):
    """Trained on one number for each state, the values come to be those numbers."""
    critic, wanted = ValueModel(lm, LORA), torch.linspace(-1, 1, 8)
    optimizer = torch.optim.AdamW(critic.parameters().values(), lr=0.02)
    for _ in range(80):
        optimizer.zero_grad()
        with critic.using():
            (critic.values(STATES) - wanted).square().mean().backward()
        optimizer.step()
    assert critic.infer(STATES, batch=8) == pytest.approx(wanted.tolist(), abs=0.2)


def test_the_same_seed_begins_with_the_same_values():
    """A critic is made from its seed, and no global generator is drawn from."""
    before = torch.get_rng_state()
    found = [ValueModel(small_lm(), LORA, seed=seed).infer(STATES, batch=8) for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]
    assert torch.equal(torch.get_rng_state(), before)


def test_values_outside_its_block_are_refused(lm):
    """There another adapter is in use, and its hidden states would be taken for the critic's."""
    critic = ValueModel(lm, LORA)
    with pytest.raises(UsageError, match="using"):
        critic.values(STATES)
    with lm.using("policy"), pytest.raises(UsageError, match="using"):
        critic.values(STATES)
