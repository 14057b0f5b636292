"""LoRA: what its settings may be, what it can stand on, and an adapter that is added into the weights."""

from dataclasses import replace

import pytest
import torch

from kit.errors import UsageError
from kit.lm.generation import Prompt, Request, Sampling
from kit.lm.lora import LoraSettings, adaptable, merged_copy
from kit.lm.transformers_backend import TransformersBackend
from tests.lm.adapted import SMALL, logits, trained
from tests.lm.conftest import RULES, STATES


def test_targets_that_match_nothing_list_those_that_would(lm):
    """Also where others match; the nearest is named, the head is not offered."""
    with pytest.raises(UsageError, match=r"q_porj.*down_proj, gate_proj, k_proj") as caught:
        lm.adapt(LoraSettings(targets=("q_porj", "v_proj")))
    assert caught.value.nearest == "q_proj"
    assert "lm_head" not in adaptable(lm.module)
    lm.adapt(SMALL)
    assert sorted(LoraSettings().targets) == adaptable(lm.module)


@pytest.mark.parametrize(
    "wrong",
    [{"rank": 0}, {"alpha": 0}, {"dropout": 1.0}, {"dropout": -0.1}, {"targets": ()}, {"targets": "q_proj"}],
)
def test_settings_that_make_no_adapter_are_refused(wrong):
    """The message names the value."""
    with pytest.raises(UsageError, match=next(iter(wrong))):
        LoraSettings(**wrong)


def test_a_merged_copy_answers_as_the_adapter_does(lm, folders):
    """To rounding, from plain layers, frozen; the model it was made from is as before."""
    lm.adapt(SMALL)
    trained(lm, "policy", 9)
    before = logits(lm)
    copied = merged_copy(lm, folders[2])
    lm.load_adapter(folders[2], "old")
    with lm.using("old"):
        assert torch.allclose(logits(copied), logits(lm), atol=1e-5)
    assert torch.equal(logits(lm), before)
    assert not any(parameter.requires_grad for parameter in copied.module.parameters())
    assert not any("lora" in name for name, _ in copied.module.named_modules())
    assert copied.adapters.settings == {}
    asked = [Request(Prompt(RULES, STATES[1]), seed=4, sampling=Sampling(max_tokens=8), adapter=folders[2])]
    theirs = TransformersBackend(copied).generate([replace(asked[0], adapter=None)])
    assert theirs[0].token_ids == TransformersBackend(lm).generate(asked)[0].token_ids
