"""An adapter on disk: it comes back bit for bit, damage is found, and a failed write leaves what was there."""

import json
import os
from pathlib import Path

import pytest
import torch

from kit.errors import IntegrityError, StorageError, UsageError
from kit.lm import adapter_folder
from kit.lm.language_model import LanguageModel
from tests.lm.adapted import SMALL, logits, trained
from tests.lm.conftest import RULES, STATES


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
