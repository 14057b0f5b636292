"""The two switches: the same gradients, less memory, and a model that is as it was afterwards."""

from contextlib import contextmanager

import pytest
import torch

from kit.errors import UsageError
from kit.lm.adapter import adapter_in_training
from kit.lm.gradient_memory import GradientMemory
from kit.lm.head_positions import last_hidden
from kit.lm.lora import LoraSettings
from kit.lm.scoring import token_logprobs
from kit.timing.memory.activations import final_norm_bytes, kept_bytes
from kit.timing.memory.shapes import TransformerShape
from kit.timing.memory.training_setup import CHECKPOINTING, TrainingSetup
from tests.lm.small import gradients, small_lm, small_module

WAYS = [(False, False), (True, False), (False, True), (True, True)]
PROMPTS, ANSWERS = [[5, 6, 7, 8], [9, 10]] * 4, [[1, 2, 3], [4]] * 4


SHAPE = TransformerShape(32, 2, 4, 2, 48, 8, 40, qk_norm=True)


@contextmanager
def kept_storages(lm):
    """Give the storages that forward passes in the block keep for their backward passes, weights apart."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in lm.module.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights and tensor.is_floating_point():
            kept[storage.data_ptr()] = storage  # held, so that no other can come to lie there
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept


def trained(lm, memory):
    """Return (the adapter's gradients, the bytes that the forward pass kept for them)."""
    with memory.training(lm.module), adapter_in_training(lm, "policy"):
        with kept_storages(lm) as kept:
            logprobs, _ = token_logprobs(lm, PROMPTS, ANSWERS)
        size = sum(storage.nbytes() for storage in kept.values())
        logprobs.sum().backward()
    return gradients(lm), size


@pytest.mark.parametrize("way", WAYS[1:])
def test_gradients_are_the_same_either_way(way):
    """What is computed again is what was computed before."""
    plain, _ = trained(small_lm(), GradientMemory(*WAYS[0]))
    again, _ = trained(small_lm(), GradientMemory(*way))
    assert len(plain) == len(again) > 0
    for one, other in zip(plain, again, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_each_switch_saves_memory(dtype):
    """Kept for the backward pass: less with activation checkpointing, far less with gradient, least with both."""
    kept = {way: trained(small_lm(dtype=dtype), GradientMemory(*way))[1] for way in WAYS}
    neither, activation, gradient, both = (kept[way] for way in WAYS)
    assert activation < neither
    assert gradient < 0.5 * activation
    assert both <= gradient


@pytest.mark.parametrize(("name", "way"), list(zip(CHECKPOINTING, WAYS, strict=True)))
def test_the_switches_are_those_of_the_estimates(name, way):
    """What the forward pass keeps for a token is what docs/memory.md counts for a switch of that name."""
    ids = torch.randint(1, 40, (2, 32), generator=torch.Generator().manual_seed(0))
    setup = TrainingSetup(
        32, 2, dtype="fp32", device="cpu", attention="flash", lora_rank=4, checkpointing=name
    )
    expected = (kept_bytes(SHAPE, setup) + final_norm_bytes(SHAPE, setup)) * setup.tokens
    lm = small_lm()
    with GradientMemory(*way).training(lm.module), adapter_in_training(lm, "policy"):
        with kept_storages(lm) as kept:
            last_hidden(lm.module, ids)
        found = sum(storage.nbytes() for storage in kept.values() if storage.nbytes() > 4 * setup.tokens)
    assert found == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("way", WAYS)
def test_everything_is_as_it_was_afterwards(way):
    """After the block, and after an error in it, no module is patched, flagged or in training mode."""

    def picture(module):
        return [
            (
                name,
                sorted(part.__dict__),
                part.training,
                getattr(part, "gradient_checkpointing", None),
                len(part._forward_hooks),
                len(part._forward_pre_hooks),
            )
            for name, part in module.named_modules()
        ]

    lm = small_lm()
    trained(lm, GradientMemory(True, True))  # transformers leaves a function behind, once
    before = picture(lm.module)
    trained(lm, GradientMemory(*way))
    assert picture(lm.module) == before
    with pytest.raises(KeyError), GradientMemory(*way).training(lm.module):
        raise KeyError
    assert picture(lm.module) == before
    assert not any(part.training for part in lm.module.modules())


def test_layers_that_were_computed_again_before_still_are():
    """Who has switched gradient checkpointing on for good keeps it."""
    lm = small_lm()
    for layer in lm.module.model.layers:
        layer.gradient_checkpointing = True
        layer._gradient_checkpointing_func = torch.utils.checkpoint.checkpoint
    with GradientMemory(False, True).training(lm.module):
        pass
    assert all(layer.gradient_checkpointing for layer in lm.module.model.layers)


@pytest.mark.parametrize("way", WAYS)
def test_the_network_that_learns_is_the_one_that_answered(way):
    """The base model's own dropout stays off in training: log-probabilities are those without it."""
    lm = small_lm(attention_dropout=0.9)
    with lm.using("policy"):
        expected, _ = token_logprobs(lm, PROMPTS, ANSWERS)
        with GradientMemory(*way).training(lm.module):
            logprobs, _ = token_logprobs(lm, PROMPTS, ANSWERS)
    torch.testing.assert_close(logprobs, expected, atol=1e-6, rtol=0)


def test_an_adapters_dropout_is_on_in_training_only():
    """Who asks for dropout in the adapter gets it while it learns, and answers without it."""
    lm = small_lm(adapted=False)
    lm.adapt(LoraSettings(rank=4, alpha=64, dropout=0.5), name="policy")
    with torch.no_grad():
        for parameter in lm.trainable("policy"):
            parameter.fill_(0.1)
    with lm.using("policy"):
        plain = [token_logprobs(lm, PROMPTS, ANSWERS)[0] for _ in range(2)]
        with GradientMemory(False, False).training(lm.module):
            dropped, _ = token_logprobs(lm, PROMPTS, ANSWERS)
    assert torch.equal(*plain)
    assert not torch.allclose(dropped, plain[0])


def test_a_model_without_layers_to_compute_again_is_refused():
    """The message names the setting that has to be off."""
    module = small_module()
    module.supports_gradient_checkpointing = False
    refused = pytest.raises(UsageError, match="gradient_checkpointing=False")
    with refused, GradientMemory().training(module):
        pass
