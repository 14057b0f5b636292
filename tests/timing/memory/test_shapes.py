"""Shapes of transformers: parameters as transformers itself counts them, configs, and what cannot be a shape."""

import json
from pathlib import Path

import pytest
import torch

from kit.errors import UnknownNameError, UsageError
from kit.timing.memory.shapes import SHAPES, TransformerShape, read_shape, shape_from_config

PUBLISHED = {
    "qwen2.5-0.5b": 494_032_768,
    "qwen3-1.7b": 1_720_574_976,
    "qwen3-4b": 4_022_468_096,
    "qwen3-8b": 8_190_735_360,
    "llama3.2-1b": 1_235_814_400,
    "llama3.2-3b": 3_212_749_824,
}
CONFIG = {
    "model_type": "qwen3",
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 160,
    "head_dim": 32,
    "vocab_size": 500,
    "tie_word_embeddings": True,
    "max_position_embeddings": 4_096,
}


@pytest.mark.parametrize("name", SHAPES)
def test_parameters_are_those_of_the_published_models(name):
    """The named shapes have as many parameters as the models of that name."""
    assert SHAPES[name].parameters == PUBLISHED[name]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tie_word_embeddings": False},
        {"attention_bias": True},
        {"model_type": "qwen2", "head_dim": 16},
        {"model_type": "llama", "head_dim": None},
        {"model_type": "llama"},
        {"model_type": "llama", "attention_bias": True, "mlp_bias": True},
    ],
    ids=str,
)
def test_parameters_are_those_of_the_module_on_the_meta_device(changes):
    """Any config has as many parameters as transformers makes of it, on a device without memory."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = CONFIG | changes
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config))
    shape = shape_from_config(config)
    assert shape.parameters == model.num_parameters()
    layer = sum(parameter.numel() for parameter in model.model.layers[0].parameters())
    assert shape.layer_parameters == layer


def test_adapters_have_rank_times_inputs_and_outputs():
    """Rank 32 on all seven projections of Qwen3 1.7B: 32 × 38,912 for each of 28 layers; on two of them less."""
    shape = SHAPES["qwen3-1.7b"]
    assert shape.lora_parameters(32, tuple(shape.projections())) == 28 * 32 * 38_912
    assert shape.lora_parameters(8, ("q_proj", "v_proj")) == 28 * 8 * (2_048 + 2_048 + 2_048 + 1_024)


def test_a_config_is_read_from_a_file_or_its_folder(tmp_path: Path):
    """A path to config.json and one to its folder give the shape that it describes."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    expected = TransformerShape(64, 3, 4, 2, 160, 32, 500, qk_norm=True, positions=4_096)
    assert read_shape(str(tmp_path / "config.json")) == read_shape(str(tmp_path)) == expected


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path):
    """A path is not taken for a misspelt name."""
    with pytest.raises(UsageError, match="There is no config at"):
        read_shape(str(tmp_path / "config.json"))


def test_an_unknown_shape_is_refused_with_the_nearest():
    """The error names the legal shapes and the closest one."""
    with pytest.raises(UnknownNameError, match=r"Did you mean 'qwen3-1.7b'\?") as error:
        read_shape("qwen3-1.6b")
    assert error.value.nearest == "qwen3-1.7b"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no config.json of a model"),
        ("[]", "holds no object"),
        (json.dumps(CONFIG | {"model_type": "qwen4"}), "Did you mean 'qwen"),
        (json.dumps({"model_type": "llama", "hidden_size": 64}), "lacks num_hidden_layers"),
        (json.dumps(CONFIG | {"num_hidden_layers": -1}), "num_hidden_layers must be a whole number"),
        (json.dumps(CONFIG | {"num_attention_heads": 0}), "num_attention_heads must be a whole number"),
        (json.dumps(CONFIG | {"hidden_size": "64"}), "hidden_size must be a whole number"),
        (json.dumps(CONFIG | {"head_dim": 0.5}), "head_dim must be a whole number"),
        (
            json.dumps(CONFIG | {"model_type": "llama", "head_dim": None, "hidden_size": 65}),
            "no multiple of 4 heads",
        ),
        (json.dumps(CONFIG | {"num_key_value_heads": 3}), "no multiple of 3"),
    ],
)
def test_a_file_that_is_no_such_config_is_refused(tmp_path: Path, text: str, message: str):
    """Broken JSON, an unknown model_type, missing and impossible sizes are usage errors that say so."""
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_shape(str(tmp_path))
