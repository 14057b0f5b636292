"""The adapters that a backend answers with: each request by its own, so many in memory, none out of date."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kit.lm import adapter_pool
from kit.lm.adapter_pool import HotSwapped, MergedCopies
from kit.lm.generation import Prompt, Request, Sampling
from kit.lm.language_model import LanguageModel
from kit.lm.transformers_backend import TransformersBackend
from tests.lm.adapted import SMALL, trained
from tests.lm.conftest import RULES, STATES


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("merge", [False, True])
def test_half_precision_answers_with_adapters_in_float32(tiny_folder, folders, dtype, merge):
    """Log-probabilities are computed in float32, from logits that are as exact as the format allows."""
    lm = LanguageModel.load(tiny_folder, device="cpu", dtype=dtype)
    request = Request(Prompt(RULES, "J"), seed=1, sampling=Sampling(max_tokens=8), adapter=folders[0])
    (answer,) = TransformersBackend(lm, merge=merge).generate([request])
    lm.load_adapter(folders[0], "check")
    assert lm.trainable("check")[0].dtype == torch.float32
    with lm.using("check"), torch.no_grad():
        scored = lm.module(input_ids=torch.tensor([answer.prompt_ids + answer.token_ids])).logits.float()
    logprobs = torch.log_softmax(scored[0, len(answer.prompt_ids) - 1 : -1], dim=-1)
    expected = logprobs.gather(-1, torch.tensor(answer.token_ids).unsqueeze(-1)).squeeze(-1)
    assert torch.tensor(answer.logprobs) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("merge", [False, True])
def test_each_request_is_answered_by_its_adapter(lm, folders, merge):
    """In one call, in any order, as if it were alone; the one that learns is never in the way."""
    asked = [
        Request(
            Prompt(RULES, STATES[number % 5]), seed=number, sampling=Sampling(max_tokens=8), adapter=adapter
        )
        for number, adapter in enumerate([*folders, None] * 3)
    ]
    backend = TransformersBackend(lm, merge=merge)
    lm.adapt(SMALL)
    trained(lm, "policy", 77)
    together = backend.generate(asked)
    assert backend.prompts.computed == 4
    assert lm.adapters.active == "policy"
    for request, answer in zip(asked, together, strict=True):
        (alone,) = backend.generate([request])
        assert alone.token_ids == answer.token_ids
        assert alone.logprobs == pytest.approx(answer.logprobs, abs=1e-5)
        with lm.using(None):
            if request.adapter:
                lm.load_adapter(request.adapter, "check")
            with lm.using("check" if request.adapter else None), torch.no_grad():
                scored = lm.module(input_ids=torch.tensor([answer.prompt_ids + answer.token_ids])).logits
        logprobs = torch.log_softmax(scored[0, len(answer.prompt_ids) - 1 : -1], dim=-1)
        expected = logprobs.gather(-1, torch.tensor(answer.token_ids).unsqueeze(-1)).squeeze(-1)
        assert torch.tensor(answer.logprobs) == pytest.approx(expected, abs=1e-4)


def test_adapters_in_memory_are_bounded(lm, folders):
    """The least recently used goes, and is loaded again when it is asked for."""
    asked = [
        Request(Prompt(RULES, "J"), seed=1, sampling=Sampling(max_tokens=8), adapter=folder)
        for folder in folders
    ]
    roomy = TransformersBackend(lm, most_adapters=3, merge=False)
    expected = roomy.generate(asked)
    assert len(lm.adapters.settings) == 3
    for folder in folders:
        roomy.forget(folder)
    assert lm.adapters.settings == {}
    narrow = TransformersBackend(lm, most_adapters=2, merge=False)
    for folder in folders * 2:
        narrow.generate([replace(asked[0], adapter=folder)])
    assert narrow.generate(asked) == expected
    assert len(lm.adapters.settings) == 2
    merged = [TransformersBackend(lm, most_adapters=most, merge=True).generate(asked) for most in (1, 3)]
    assert merged[0] == merged[1]
    assert [answer.token_ids for answer in merged[0]] == [answer.token_ids for answer in expected]


@pytest.mark.parametrize("merge", [False, True])
def test_a_base_that_learned_is_noticed_under_its_adapters(lm, folders, merge):
    """By what was merged, and by what was computed of fixed prompts."""
    request = Request(Prompt(RULES, "J"), seed=1, sampling=Sampling(max_tokens=8), adapter=folders[0])
    backend = TransformersBackend(lm, merge=merge)
    before = backend.generate([request])
    with torch.no_grad():
        for parameter in lm.adapters.base_parameters():
            parameter.mul_(1.5)
    after = backend.generate([request])
    assert after == TransformersBackend(lm, merge=merge).generate([request])
    assert after != before


@pytest.mark.parametrize(
    ("size", "dtype", "kind"),
    [
        (2**10, "float32", HotSwapped),
        (2**24, "float32", MergedCopies),
        (2**24, "bfloat16", HotSwapped),
    ],
)
def test_tiny_models_are_merged_and_others_swapped(tiny_folder, monkeypatch, size, dtype, kind):
    """Unless somebody says otherwise; in a coarse format a merged weight would lose a small sum."""
    lm = LanguageModel.load(tiny_folder, device="cpu", dtype=dtype)
    monkeypatch.setattr(adapter_pool, "MERGE_BELOW", size)
    assert isinstance(adapter_pool.adapter_pool(lm, 8, merge=None), kind)


@pytest.mark.parametrize("merge", [False, True])
def test_a_folder_that_changed_is_read_again_once_forgotten(lm, folders, merge):
    """With what was computed under it."""
    request = Request(Prompt(RULES, "J"), seed=1, sampling=Sampling(max_tokens=8), adapter=folders[0])
    backend = TransformersBackend(lm, merge=merge)
    (before,) = backend.generate([request])
    (other,) = backend.generate([replace(request, adapter=folders[1])])
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        Path(folders[0], name).write_bytes(Path(folders[1], name).read_bytes())
    backend.forget(folders[0])
    (after,) = backend.generate([request])
    assert after == other
    assert after != before
    backend.forget("never seen")


def test_two_backends_share_a_model(lm, folders):
    """Each loads what it needs under names of its own."""
    request = Request(Prompt(RULES, "J"), seed=1, sampling=Sampling(max_tokens=8), adapter=folders[0])
    one, other = TransformersBackend(lm, merge=False), TransformersBackend(lm, merge=False)
    first = one.generate([request])
    assert other.generate([replace(request, adapter=folders[1])]) != first
    assert other.generate([request]) == first
    assert one.generate([request]) == first
