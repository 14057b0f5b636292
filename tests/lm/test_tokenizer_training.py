"""The trained tokenizer: what is one token, what comes back, and that it is the same every time."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.lm.generation import Prompt
from kit.lm.tokenizer_training import SMALLEST, train_tokenizer
from tests.lm.conftest import ACTIONS, RULES, examples

TOKENIZER = train_tokenizer(examples(), 320)


def tokens(text: str) -> list[str]:
    """Return the tokens of a text, in words."""
    return [TOKENIZER.decode([token]) for token in TOKENIZER.encode(text, add_special_tokens=False)]


@pytest.mark.parametrize("word", [*ACTIONS, "player", "cards"])
def test_a_word_of_the_transcripts_is_the_same_token_wherever_it_stands(word):
    """Alone, after a space, after a sign, before one."""
    alone = TOKENIZER.encode(word, add_special_tokens=False)
    assert len(alone) == 1
    for text in (f" {word}", f"|{word},", f"[{word}]", f"0{word}1"):
        assert alone[0] in TOKENIZER.encode(text, add_special_tokens=False)


def test_digits_capitals_and_signs_are_tokens_of_their_own():
    """However often they stand together, so that a board is read cell by cell."""
    tokenizer = train_tokenizer(["XO.|..O|X.. 12 17"] * 50, 300)
    text = "XO.|..O|X.. 12 17"
    assert len(tokenizer.encode(text, add_special_tokens=False)) == len(text)


@given(st.text())
def test_every_text_comes_back(text):
    """Also one with characters that no transcript had."""
    ids = TOKENIZER.encode(text, add_special_tokens=False)
    assert TOKENIZER.decode(ids, clean_up_tokenization_spaces=False) == text


def test_words_of_answers_come_before_those_of_the_rules():
    """A fixed part that begins a thousand prompts counts once."""
    rules = " ".join(
        "abcdefghij"[first] + "klmnopqrst"[second] * 3 for first in range(10) for second in range(10)
    )
    seen = [(Prompt(rules, "Q|"), "raise" if number % 2 else "fold") for number in range(1000)]
    tokenizer = train_tokenizer(seen, SMALLEST + 7)
    assert [len(tokenizer.encode(word)) for word in ("raise", "fold")] == [1, 1]


def test_the_same_transcripts_give_the_same_tokenizer():
    """Token for token, merge for merge."""
    again = train_tokenizer(examples(), 320)
    assert again.backend_tokenizer.to_str() == TOKENIZER.backend_tokenizer.to_str()


@pytest.mark.slow
def test_every_process_trains_the_same_tokenizer():
    """Hashes of strings differ there."""
    code = (
        "from tests.lm.conftest import examples\n"
        "from kit.lm.tokenizer_training import train_tokenizer\n"
        "print(train_tokenizer(examples(), 320).backend_tokenizer.to_str())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == TOKENIZER.backend_tokenizer.to_str()


def test_the_special_tokens_are_there():
    """One ends an answer, one pads, and both are single tokens."""
    assert (TOKENIZER.eos_token, TOKENIZER.pad_token) == ("<|end|>", "<|pad|>")
    assert TOKENIZER.encode("<|end|>") == [TOKENIZER.eos_token_id]
    assert [len(TOKENIZER.encode(turn)) for turn in ("<|im_start|>", "<|im_end|>")] == [1, 1]
    assert tokens(RULES)[0] == "Kuhn"


@pytest.mark.parametrize(("transcripts", "vocabulary"), [([], 300), (["text"], SMALLEST - 1)])
def test_what_cannot_be_trained_is_refused(transcripts, vocabulary):
    """No transcripts, or no room for the bytes."""
    with pytest.raises(UsageError):
        train_tokenizer(transcripts, vocabulary)
