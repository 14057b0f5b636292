"""Rows of like length go together: what padding may cost, by hand and for any lengths."""

from hypothesis import given
from hypothesis import strategies as st

from kit.lm.generation import Prompt, Request, Sampling
from kit.lm.row_batches import STEP_TOKENS, row_batches
from kit.lm.transformers_backend import TransformersBackend
from tests.lm.conftest import RULES, STATES


def test_a_row_far_longer_than_the_others_goes_alone():
    """A hundred of 10 tokens and one of 60: 5,000 tokens of padding, or 8 steps more; 4,096 steps would be more."""
    lengths = [10] * 100 + [60]
    assert list(row_batches(lengths, 128, 8)) == [range(100), range(100, 101)]
    assert list(row_batches(lengths, 128, 4_096)) == [range(101)]


def test_a_batch_is_cut_by_its_padding_and_by_its_rows():
    """By hand: 2 · 31 + 3 · 1 = 65 of padding is one more than a step of decoding is worth; four rows fill a batch."""
    assert STEP_TOKENS == 64
    assert list(row_batches([1, 1, 32, 33], 9, 1)) == [range(3), range(3, 4)]
    assert list(row_batches([1, 1, 32, 32], 9, 1)) == [range(4)]
    assert list(row_batches([5] * 9, 4, 1)) == [range(4), range(4, 8), range(8, 9)]
    assert list(row_batches([], 4, 1)) == []


@given(st.lists(st.integers(1, 2_000), max_size=60).map(sorted), st.integers(1, 20), st.integers(1, 40))
def test_every_row_has_one_batch_and_no_batch_pads_for_more_than_it_saves(lengths, most, longest):
    """In order, none lost, none twice; padding never more than so many steps are worth."""
    batches = list(row_batches(lengths, most, longest))
    assert [place for batch in batches for place in batch] == list(range(len(lengths)))
    for batch in batches:
        assert 0 < len(batch) <= most
        rows = [lengths[place] for place in batch]
        assert sum(max(rows) - one for one in rows) <= longest * STEP_TOKENS


def test_a_long_prompt_is_no_burden_to_the_others(lm):
    """The model reads no token of padding for it, and everybody's answer is the one it has alone, in its own place."""
    backend = TransformersBackend(lm)
    sampling = Sampling(max_tokens=2)
    long = Prompt(RULES, STATES[0] * 8)
    asked = [Request(Prompt(RULES, STATES[1]), number, sampling) for number in range(40)]
    asked.insert(17, Request(long, 99, sampling))
    backend.generate(asked[:1])  # the fixed part is in the cache from here on
    shapes = []
    hook = lm.module.register_forward_pre_hook(
        lambda _, __, given: shapes.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    try:
        answers = backend.generate(asked)
    finally:
        hook.remove()
    short, alone = len(lm.tokens(STATES[1])), len(lm.tokens(STATES[0] * 8))
    assert {shape for shape in shapes if shape[1] > 1} == {(40, short), (1, alone)}
    for request, answer in zip(asked, answers, strict=True):
        [single] = backend.generate([request])
        assert (answer.token_ids, answer.text) == (single.token_ids, single.text)
