"""Tokens by inverse CDF: by hand, by frequency, and at the edges."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import DivergenceError
from kit.lm.drawing import draw, uniforms

QUARTERS = torch.log(torch.tensor([[0.25, 0.5, 0.25]]))


def drawn(logits: torch.Tensor, number: float, temperature: float = 1.0) -> tuple[int, float]:
    """Return (token, log-probability) for one row."""
    tokens, logprobs = draw(logits, torch.tensor([number], dtype=torch.float64), temperature)
    return tokens.item(), logprobs.item()


@pytest.mark.parametrize(
    ("number", "token"), [(0.0, 0), (0.2499, 0), (0.2501, 1), (0.7499, 1), (0.7501, 2), (1 - 2**-53, 2)]
)
def test_a_token_is_the_first_whose_sum_is_above_the_number(number, token):
    """Probabilities 1/4, 1/2, 1/4: the borders are 0.25 and 0.75."""
    assert drawn(QUARTERS, number)[0] == token


def test_log_probabilities_are_those_of_the_tempered_distribution():
    """At temperature 1/2 the odds 1 : 2 : 1 are 1 : 4 : 1."""
    token, logprob = drawn(QUARTERS, 0.5, temperature=0.5)
    assert token == 1
    assert logprob == pytest.approx(math.log(4 / 6), abs=1e-6)
    assert drawn(QUARTERS, 0.17, temperature=0.5)[0] == 1
    assert drawn(QUARTERS, 0.16, temperature=0.5)[0] == 0


def test_a_temperature_near_0_is_greedy():
    """Logits are compared before they are divided, so that none is infinite."""
    assert drawn(torch.tensor([[7.0, 40.0, 39.0]]), 0.3, temperature=1e-40) == (1, 0.0)


def test_temperature_0_takes_the_most_likely():
    """Whatever the number; its log-probability is that of the untempered distribution."""
    for number in (0.0, 0.9):
        assert drawn(QUARTERS, number, temperature=0.0) == (1, pytest.approx(math.log(0.5), abs=1e-6))


@given(
    logits=st.lists(st.sampled_from([-math.inf, -80.0, -1.0, 0.0, 3.0]), min_size=2, max_size=6),
    number=st.floats(0, 1, exclude_max=True),
    temperature=st.sampled_from([0.0, 0.5, 1.0, 2.0]),
)
def test_what_is_impossible_is_never_drawn(logits, number, temperature):
    """Not at either end of the numbers, nor behind the last possible token."""
    if all(logit == -math.inf for logit in logits):
        logits = [*logits, 0.0]
    token, logprob = drawn(torch.tensor([logits]), number, temperature)
    assert logits[token] > -math.inf
    assert logprob > -math.inf


def test_frequencies_are_the_probabilities():
    """20,000 draws of a request's own numbers are within four standard deviations."""
    count = 20_000
    logits = torch.tensor([[0.3, -1.0, 1.5, 0.0]])
    numbers = torch.from_numpy(uniforms(11, count))
    tokens, _ = draw(logits.expand(count, -1), numbers, 0.7)
    share = torch.bincount(tokens, minlength=4) / count
    expected = torch.softmax(logits[0] / 0.7, dim=-1)
    assert bool(((share - expected).abs() < 4 * (expected * (1 - expected) / count).sqrt()).all())


def test_the_nth_number_depends_on_seed_and_n_only():
    """However many are asked for."""
    assert np.array_equal(uniforms(3, 5), uniforms(3, 500)[:5])
    assert not np.array_equal(uniforms(3, 5), uniforms(4, 5))
    assert uniforms(2**63 - 1, 1).shape == (1,)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_no_numbers_are_an_error(bad, temperature):
    """Drawing from them would give a token like any other."""
    with pytest.raises(DivergenceError, match="diverged"):
        drawn(torch.tensor([[0.0, bad, 1.0]]), 0.5, temperature)
