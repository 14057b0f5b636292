"""Rows of like length go together: what padding may cost, by hand and for any lengths."""

from hypothesis import given
from hypothesis import strategies as st

from kit.lm.generation import Prompt, Request, Sampling
from kit.lm.row_batches import STEP_TOKENS, row_batches
from kit.lm.transformers_backend import TransformersBackend
from tests.lm.conftest import RULES, STATES


def of(*lengths):
    """Return prompts of these lengths, no two alike."""
    return [(number,) * length for number, length in enumerate(lengths)]


def test_a_prompt_far_longer_than_the_others_goes_alone():
    """A hundred of 10 tokens and one of 60: 5,000 tokens of padding, or 8 steps more; 4,096 steps would be more."""
    prompts = of(*[10] * 100, 60)
    assert list(row_batches(prompts, 128, 8)) == [range(100), range(100, 101)]
    assert list(row_batches(prompts, 128, 4_096)) == [range(101)]


def test_equal_prompts_are_padded_once():
    """A hundred times the same one beside a longer one: 50 tokens of padding, and no batch is worth that."""
    assert list(row_batches([(1,) * 10] * 100 + [(1,) * 60], 128, 8)) == [range(101)]


def test_a_batch_is_cut_by_its_padding_and_by_its_rows():
    """By hand: 2 · 32 + 1 = 65 of padding is one more than a step of decoding is worth; four answers fill a batch."""
    assert STEP_TOKENS == 64
    assert list(row_batches(of(1, 1, 32, 33), 9, 1)) == [range(3), range(3, 4)]
    assert list(row_batches(of(1, 1, 32, 32), 9, 1)) == [range(4)]
    assert list(row_batches(of(*[5] * 9), 4, 1)) == [range(4), range(4, 8), range(8, 9)]
    assert list(row_batches([], 4, 1)) == []


@given(
    st.lists(st.integers(0, 3), max_size=60).flatmap(
        lambda kinds: st.lists(st.integers(1, 900), min_size=len(kinds), max_size=len(kinds)).map(
            lambda lengths: sorted(
                ((kind,) * length for kind, length in zip(kinds, lengths, strict=True)),
                key=lambda prompt: (len(prompt), prompt),
            )
        )
    ),
    st.integers(1, 20),
    st.integers(1, 40),
)
def test_every_prompt_has_one_batch_and_no_batch_pads_for_more_than_it_saves(prompts, most, longest):
    """In order, none lost, none twice; padding never more than so many steps are worth."""
    batches = list(row_batches(prompts, most, longest))
    assert [place for batch in batches for place in batch] == list(range(len(prompts)))
    for batch in batches:
        assert 0 < len(batch) <= most
        rows = {prompts[place] for place in batch}
        assert sum(max(map(len, rows)) - len(one) for one in rows) <= longest * STEP_TOKENS


def test_a_long_prompt_is_no_burden_to_the_others(lm):
    """The model reads no token of padding for it, and everybody's answer is the one it has alone, in its own place."""
    backend = TransformersBackend(lm)
    sampling = Sampling(max_tokens=2)
    states = [f"{card} {one} {other}:" for card in "JQK" for one in range(10, 20) for other in range(10, 20)]
    asked = [Request(Prompt(RULES, state), number, sampling) for number, state in enumerate(states)]
    asked.insert(17, Request(Prompt(RULES, STATES[0] * 8), 999, sampling))
    backend.generate(asked[:1])  # the fixed part is in the cache from here on
    read = []
    hook = lm.module.register_forward_pre_hook(
        lambda _, __, given: read.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    try:
        answers = backend.generate(asked)
    finally:
        hook.remove()
    short, alone = max(len(lm.tokens(state)) for state in states), len(lm.tokens(STATES[0] * 8))
    widths = {width for _, width in read if width > 1}
    assert alone in widths
    assert max(widths - {alone}) <= short < alone / 3
    assert [rows for rows, width in read if width == alone] == [1]
    for request, answer in list(zip(asked, answers, strict=True))[10:25]:
        [single] = backend.generate([request])
        assert (answer.token_ids, answer.text) == (single.token_ids, single.text)
