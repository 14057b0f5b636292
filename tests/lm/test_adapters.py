"""The adapters of one model: added, switched, dropped; which one answers, and which of them learn."""

from dataclasses import replace

import pytest
import torch

from kit.errors import UnknownNameError, UsageError
from kit.lm.language_model import LanguageModel
from tests.lm.adapted import SMALL, logits, trained
from tests.lm.conftest import RULES


def test_a_new_adapter_changes_no_answer_and_alone_learns(lm):
    """B is zero; the model is frozen."""
    before = logits(lm)
    lm.adapt(SMALL)
    assert torch.equal(logits(lm), before)
    learning = [parameter for parameter in lm.module.parameters() if parameter.requires_grad]
    assert {id(parameter) for parameter in learning} == {id(parameter) for parameter in lm.trainable()}
    assert len(learning) == 2 * 7 * 2  # A and B of seven layers in each of two blocks
    assert all(parameter.dtype == torch.float32 for parameter in learning)


def test_a_new_adapters_dropout_is_on_in_training_only(lm):
    """The model is in evaluation mode when it is loaded; its answers are those of all of A."""
    lm.adapt(replace(SMALL, dropout=0.5))
    trained(lm, "policy", 1)
    assert torch.equal(logits(lm), logits(lm))
    lm.module.train()
    assert not torch.equal(logits(lm), logits(lm))


def test_the_seed_decides_what_an_adapter_begins_with(lm, tiny_folder):
    """The same one, the same numbers; nothing is drawn from the global generator."""
    state = torch.random.get_rng_state()
    beginnings = []
    for seed in (3, 3, 4):
        other = LanguageModel.load(tiny_folder, device="cpu")
        other.adapt(SMALL, seed=seed)
        beginnings.append(torch.cat([parameter.flatten() for parameter in other.trainable()]))
    assert torch.equal(beginnings[0], beginnings[1])
    assert not torch.equal(beginnings[0], beginnings[2])
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("name", ["policy", "a.b", "q_proj", "weight", ""])
def test_names_that_cannot_be_told_apart_are_refused(lm, name):
    """Taken, with a dot, or a layer's own."""
    lm.adapt(SMALL)
    with pytest.raises(UsageError):
        lm.adapt(SMALL, name)


def test_using_an_adapter_ends_with_the_block(lm, folders):
    """The one before answers again, also inside another block, and with none the model as it was loaded."""
    plain = logits(lm)
    for number, folder in enumerate(folders):
        lm.load_adapter(folder, f"old-{number}")
    assert torch.equal(logits(lm), plain)
    with lm.using("old-0"):
        first = logits(lm)
        with lm.using("old-1"):
            second = logits(lm)
            with lm.using(None):
                assert torch.equal(logits(lm), plain)
        assert torch.equal(logits(lm), first)
    assert torch.equal(logits(lm), plain)
    assert not torch.equal(first, second)
    assert not torch.equal(first, plain)


def test_switching_changes_nothing_that_learns(lm, folders):
    """A policy and a critic learn, an opponent does not, whichever of them answers."""
    lm.adapt(SMALL)
    lm.adapt(SMALL, "critic", seed=1)
    lm.load_adapter(folders[0], "old")

    def learning() -> list[bool]:
        return [parameter.requires_grad for parameter in lm.module.parameters()]

    before = learning()
    assert sum(before) == len(lm.trainable("policy")) + len(lm.trainable("critic"))
    for name in ("critic", "old", None, "policy"):
        with lm.using(name):
            assert learning() == before
            assert lm.adapters.active == name
        assert learning() == before
    lm.drop_adapter("old")
    assert sum(learning()) == sum(before)


def test_gradients_reach_the_adapter_that_answers(lm):
    """And no other."""
    lm.adapt(SMALL)
    lm.adapt(SMALL, "critic", seed=1)
    with lm.using("critic"):
        lm.module(input_ids=torch.tensor([lm.tokens(RULES)])).logits.sum().backward()
    assert all(parameter.grad is not None for parameter in lm.trainable("critic"))
    assert all(parameter.grad is None for parameter in lm.trainable("policy"))


def test_switching_where_nothing_is_recorded_leaves_training_possible(lm, folders):
    """A monitor that scores in inference mode must not freeze what learns."""
    lm.adapt(SMALL)
    lm.load_adapter(folders[0], "old")
    with torch.inference_mode(), lm.using("old"), lm.using(None):
        logits(lm)
    lm.module(input_ids=torch.tensor([lm.tokens(RULES)])).logits.sum().backward()
    assert all(parameter.grad is not None for parameter in lm.trainable())


def test_the_first_adapter_is_active_until_it_is_dropped(lm, folders):
    """After that the model answers as it was loaded, and can be adapted anew."""
    plain = logits(lm)
    lm.adapt(SMALL)
    trained(lm, "policy", 1)
    adapted = logits(lm)
    lm.load_adapter(folders[0], "old")
    assert torch.equal(logits(lm), adapted)
    lm.drop_adapter("policy")
    assert torch.equal(logits(lm), plain)
    lm.drop_adapter("old")
    assert torch.equal(logits(lm), plain)
    lm.adapt(SMALL)
    assert lm.adapters.active == "policy"
    with pytest.raises(UnknownNameError, match="old"):
        lm.drop_adapter("old")


def test_loading_again_takes_the_others_place(lm, folders):
    """Under the same name, and whether it was active or not."""
    lm.load_adapter(folders[0], "old")
    with lm.using("old"):
        first = logits(lm)
        lm.load_adapter(folders[1], "old")
        assert not torch.equal(logits(lm), first)
        lm.load_adapter(folders[0], "old")
        assert torch.equal(logits(lm), first)
