"""LoRA adapters: added, swapped, saved, loaded, merged."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kit.errors import IntegrityError, StorageError, UnknownNameError, UsageError
from kit.lm import adapter_folder, adapter_pool
from kit.lm.adapter_pool import HotSwapped, MergedCopies
from kit.lm.generation import Prompt, Request, Sampling
from kit.lm.language_model import LanguageModel
from kit.lm.lora import LoraSettings, adaptable, merged_copy
from kit.lm.transformers_backend import TransformersBackend
from tests.lm.conftest import RULES, STATES

SMALL = LoraSettings(rank=4, alpha=8)


def logits(lm: LanguageModel) -> torch.Tensor:
    """Return what the model says of one text."""
    with torch.no_grad():
        out: torch.Tensor = lm.module(input_ids=torch.tensor([lm.tokens(RULES + STATES[0])])).logits
    return out


def trained(lm: LanguageModel, name: str, seed: int) -> None:
    """Put numbers into an adapter's B, which begins as zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in lm.trainable(name):
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)


@pytest.fixture
def folders(tiny_folder: Path, tmp_path: Path) -> list[str]:
    """Folders of three adapters, all different."""
    lm = LanguageModel.load(tiny_folder, device="cpu")
    lm.adapt(SMALL)
    for number in range(3):
        trained(lm, "policy", number)
        lm.save_adapter(tmp_path / f"{number:06d}")
    return [str(tmp_path / f"{number:06d}") for number in range(3)]


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


@pytest.mark.parametrize("name", ["policy", "a.b", "q_proj", "weight", ""])
def test_names_that_cannot_be_told_apart_are_refused(lm, name):
    """Taken, with a dot, or a layer's own."""
    lm.adapt(SMALL)
    with pytest.raises(UsageError):
        lm.adapt(SMALL, name)


def test_an_adapter_comes_back_bit_for_bit(lm, tiny_folder, tmp_path):
    """Its settings too; the folder has peft's files, and names no folder of this machine."""
    lm.adapt(SMALL)
    trained(lm, "policy", 1)
    lm.save_adapter(tmp_path / "000001")
    config = json.loads((tmp_path / "000001/adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["base_model_name_or_path"]) == (4, 8, tiny_folder.name)
    other = LanguageModel.load(tiny_folder, device="cpu")
    other.load_adapter(tmp_path / "000001", "theirs")
    for mine, theirs in zip(lm.trainable(), other.trainable("theirs"), strict=True):
        assert torch.equal(mine, theirs)
    assert other.adapters.settings["theirs"].rank == 4
    other.save_adapter(tmp_path / "000002", "theirs")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "000001" / name).read_bytes() == (tmp_path / "000002" / name).read_bytes()


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_peft_itself_reads_a_saved_adapter(lm, tiny_folder, folders):
    """Into its own kind of model, without a word of ours."""
    from peft import PeftModel

    theirs = PeftModel.from_pretrained(LanguageModel.load(tiny_folder, device="cpu").module, folders[1])
    ids = torch.tensor([lm.tokens(RULES + STATES[0])])
    lm.load_adapter(folders[1], "mine")
    with torch.no_grad(), lm.using("mine"):
        assert torch.allclose(theirs(input_ids=ids).logits, logits(lm), atol=1e-6)


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


def test_a_missing_adapter_names_the_nearest_folder(lm, folders):
    """By the folder that it should be in."""
    wrong = Path(folders[0]).with_name("00001")
    with pytest.raises(UsageError, match="no adapter") as caught:
        lm.load_adapter(wrong, "old")
    assert Path(str(caught.value.nearest)).name in ("000001", "000000")


def test_damaged_files_are_found(lm, folders):
    """Cut short, or not JSON; a folder that lacks one says which."""
    weights = Path(folders[0], "adapter_model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(IntegrityError, match="000000"):
        lm.load_adapter(folders[0], "old")
    Path(folders[1], "adapter_config.json").write_text("{")
    with pytest.raises(IntegrityError, match="000001"):
        lm.load_adapter(folders[1], "old")
    Path(folders[2], "adapter_model.safetensors").unlink()
    with pytest.raises(UsageError, match=r"adapter_model\.safetensors"):
        lm.load_adapter(folders[2], "old")
    assert lm.adapters.settings == {}


@pytest.mark.parametrize("odd", [{"use_dora": True}, {"rank_pattern": {"q_proj": 2}}, {"peft_type": "LOHA"}])
def test_an_adapter_that_is_no_plain_lora_is_refused(lm, folders, odd):
    """Read as one it would answer wrongly."""
    path = Path(folders[0], "adapter_config.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | odd))
    with pytest.raises(UsageError, match="LoRA"):
        lm.load_adapter(folders[0], "old")


def test_an_adapter_of_another_shape_is_refused(lm, folders):
    """And leaves no trace."""
    path = Path(folders[0], "adapter_config.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"r": 8}))
    with pytest.raises(UsageError, match="does not fit"):
        lm.load_adapter(folders[0], "old")
    assert lm.adapters.settings == {}


def test_a_failed_write_leaves_what_was_there(lm, folders, monkeypatch):
    """Whether writing fails or the last rename does, and nothing half-written stays."""
    lm.load_adapter(folders[1], "old")
    before = Path(folders[0], "adapter_model.safetensors").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for owner, name in ((adapter_folder, "save_safetensors"), (os, "fsync"), (Path, "rename")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, full)
            if name == "fsync":  # folders that cannot be synced are let pass, files are not
                patch.setattr(adapter_folder, "_sync", full)
            with pytest.raises(StorageError, match="No space left"):
                lm.save_adapter(folders[0], "old")
        assert Path(folders[0], "adapter_model.safetensors").read_bytes() == before
        assert sorted(path.name for path in Path(folders[0]).parent.iterdir()) == [
            "000000",
            "000001",
            "000002",
        ]
    lm.save_adapter(folders[0], "old")
    assert Path(folders[0], "adapter_model.safetensors").read_bytes() != before


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
