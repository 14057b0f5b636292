"""Loading a model, and what its tokenizer says of texts."""

import json
import shutil

import pytest
import torch
from tokenizers.processors import TemplateProcessing

from kit.errors import IntegrityError, UsageError
from kit.lm.generation import Prompt
from kit.lm.language_model import LanguageModel
from tests.lm.conftest import RULES, SMALL


def test_a_model_is_loaded_ready_to_answer(lm, tiny_folder):
    """Device, format, context and name are there; it is in evaluation mode and can pad."""
    assert (lm.device, lm.dtype) == (torch.device("cpu"), torch.float32)
    assert (lm.context, lm.name) == (SMALL.context, tiny_folder.name)
    assert not lm.module.training
    assert lm.tokenizer.pad_token_id is not None
    assert next(lm.module.parameters()).dtype == torch.float32


def test_weights_are_in_memory_of_torchs_own(lm):
    """In a file they begin anywhere, and the last bits of a product may depend on that."""
    assert all(parameter.data_ptr() % 64 == 0 for parameter in lm.module.parameters())


def test_the_format_can_be_asked_for(tiny_folder):
    """Also one that the device would not have chosen."""
    lm = LanguageModel.load(tiny_folder, device="cpu", dtype="bfloat16")
    assert lm.dtype == next(lm.module.parameters()).dtype == torch.bfloat16


def test_a_path_that_is_not_there_names_the_nearest(tiny_folder):
    """The nearest entry of the folder it should be in."""
    wrong = tiny_folder.with_name("tyni")
    with pytest.raises(UsageError, match="tyni") as caught:
        LanguageModel.load(wrong)
    assert caught.value.nearest == str(tiny_folder)


def test_a_name_that_is_not_cached_is_not_downloaded():
    """The message says where it was looked for."""
    with pytest.raises(UsageError, match="cache of Hugging Face"):
        LanguageModel.load("nobody/no-such-model-1.7B")


def test_a_folder_without_a_model_says_so(tmp_path):
    """Empty, or with a configuration that is none."""
    with pytest.raises(UsageError, match="holds no language model"):
        LanguageModel.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qween3"}))
    with pytest.raises(UsageError, match="holds no language model"):
        LanguageModel.load(tmp_path)


def test_damaged_weights_are_found(tiny_folder, tmp_path):
    """Cut short: an integrity error, not one of the caller's."""
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(IntegrityError, match="damaged"):
        LanguageModel.load(folder, device="cpu")


def test_a_prompts_parts_are_tokenised_apart(lm):
    """The fixed part's tokens are the same whatever follows."""
    fixed, rest = lm.prompt_tokens(Prompt("You are pl", "ayer 0"))
    assert fixed == lm.tokens("You are pl")
    assert rest == lm.tokens("ayer 0")
    assert fixed + rest != lm.tokens("You are player 0")


def test_a_beginning_of_text_comes_before_the_fixed_part_only(lm):
    """Where the tokenizer has one and puts it there; nothing is put before the rest."""
    assert lm.fixed_tokens(RULES) == lm.tokens(RULES)
    lm.tokenizer.bos_token = "<|pad|>"
    begin = lm.tokenizer.bos_token_id
    lm.tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|pad|> $A", special_tokens=[("<|pad|>", begin)]
    )
    fixed, rest = lm.prompt_tokens(Prompt(RULES, "J"))
    assert fixed == [begin, *lm.tokens(RULES)]
    assert rest == lm.tokens("J")


def test_a_stop_text_is_one_token(lm):
    """A longer one would never be seen to end an answer."""
    assert lm.tokens("\n") == [lm.stop_token("\n")]
    with pytest.raises(UsageError, match="is 3"):
        lm.stop_token("\n\n\n")


def test_the_version_of_weights_changes_with_them(lm):
    """Whatever writes into a parameter in place."""
    before = lm.version(None)
    assert lm.version(None) == before
    with torch.no_grad():
        next(lm.module.parameters()).mul_(1.0)
    assert lm.version(None) != before
