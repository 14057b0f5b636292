"""The shape of a decoder-only transformer, by name or from a transformers config, and how many parameters it has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from kit.errors import UsageError, choose


@dataclass(frozen=True)
class TransformerShape:
    """Sizes of a decoder with RMSNorm, rotary positions, grouped-query attention and a gated MLP (Llama, Qwen2, Qwen3).

    Attributes:
        hidden: width of the residual stream.
        layers: decoder layers.
        heads: query heads.
        kv_heads: key and value heads; must divide ``heads``.
        ffn: width of the MLP's gate and up projections.
        head_dim: width of one head.
        vocabulary: rows of the embedding.
        tied: whether the head is the embedding.
        qkv_bias: whether the query, key and value projections have biases.
        output_bias: whether the attention's output projection has one.
        mlp_bias: whether the MLP's projections have.
        qk_norm: whether each head's queries and keys are normalised (Qwen3).
        positions: the longest sequence that it was made for, tokens.
    """

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    head_dim: int
    vocabulary: int
    tied: bool = True
    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    qk_norm: bool = False
    positions: int = 32_768

    def __post_init__(self) -> None:
        """Raise UsageError for a size below 1, or heads that are no multiple of the key and value heads."""
        for item in fields(self):
            value = getattr(self, item.name)
            if item.type == "int" and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise UsageError(f"{item.name} must be a whole number of at least 1, not {value!r}.")
        if self.heads % self.kv_heads:
            raise UsageError(
                f"heads must be a multiple of kv_heads; {self.heads} is no multiple of {self.kv_heads}."
            )

    @property
    def query_width(self) -> int:
        """Return heads × head_dim."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Return kv_heads × head_dim."""
        return self.kv_heads * self.head_dim

    def projections(self) -> dict[str, tuple[int, int]]:
        """Return (inputs, outputs) of the seven linear maps of a layer, by the names that adapters target."""
        hidden, query, key = self.hidden, self.query_width, self.kv_width
        return {
            "q_proj": (hidden, query),
            "k_proj": (hidden, key),
            "v_proj": (hidden, key),
            "o_proj": (query, hidden),
            "gate_proj": (hidden, self.ffn),
            "up_proj": (hidden, self.ffn),
            "down_proj": (self.ffn, hidden),
        }

    @property
    def layer_parameters(self) -> int:
        """Return the parameters of one layer: seven projections, their biases, two norms, and those of the heads."""
        projections = self.projections()
        weights = sum(inputs * outputs for inputs, outputs in projections.values())
        biased = {"o_proj": self.output_bias}
        biased |= dict.fromkeys(("q_proj", "k_proj", "v_proj"), self.qkv_bias)
        biased |= dict.fromkeys(("gate_proj", "up_proj", "down_proj"), self.mlp_bias)
        biases = sum(outputs for name, (_, outputs) in projections.items() if biased[name])
        return weights + biases + 2 * self.hidden + (2 * self.head_dim if self.qk_norm else 0)

    @property
    def head_parameters(self) -> int:
        """Return the parameters of the head, which are the embedding's as well where it is tied."""
        return self.vocabulary * self.hidden

    @property
    def parameters(self) -> int:
        """Return all parameters: embedding, layers, final norm, and the head where it is one of its own."""
        embeddings = self.head_parameters * (1 if self.tied else 2)
        return embeddings + self.layers * self.layer_parameters + self.hidden

    def lora_parameters(self, rank: int, targets: tuple[str, ...]) -> int:
        """Return the parameters of adapters of this rank: rank × (inputs + outputs) for each target of each layer.

        LoRA: Hu et al. 2021, A of (rank, inputs) and B of (outputs, rank).
        """
        projections = self.projections()
        each = sum(sum(choose("adapter target", name, projections)) for name in targets)
        return self.layers * rank * each


def _qwen3(hidden: int, layers: int, heads: int, ffn: int, *, tied: bool = True) -> TransformerShape:
    return TransformerShape(
        hidden, layers, heads, 8, ffn, 128, 151_936, tied=tied, qk_norm=True, positions=40_960
    )


SHAPES: dict[str, TransformerShape] = {
    "qwen2.5-0.5b": TransformerShape(896, 24, 14, 2, 4_864, 64, 151_936, qkv_bias=True),
    "qwen3-1.7b": _qwen3(2_048, 28, 16, 6_144),
    "qwen3-4b": _qwen3(2_560, 36, 32, 9_728),
    "qwen3-8b": _qwen3(4_096, 36, 32, 12_288, tied=False),
    "llama3.2-1b": TransformerShape(2_048, 16, 32, 8, 8_192, 64, 128_256, positions=131_072),
    "llama3.2-3b": TransformerShape(3_072, 28, 24, 8, 8_192, 128, 128_256, positions=131_072),
}
"""The shapes that the tables cover, and a small one. There is no Llama 3.2 of 2B."""

MODEL_TYPES: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen2": {"qkv_bias": True},
    "qwen3": {"qk_norm": True, "head_dim": 128},
}
"""The transformers ``model_type`` values that are read, and what each has of its own where its config does not say."""

NEEDED = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")


def shape_from_config(config: Mapping[str, Any], place: str = "the config") -> TransformerShape:
    """Return the shape that a transformers config, as a mapping, describes.

    Raises:
        UnknownNameError: its ``model_type`` is none that is known here.
        UsageError: a size is missing or cannot be one.
    """
    own = dict(choose("model_type", str(config.get("model_type", "")), MODEL_TYPES))
    hidden, layers, heads, ffn, vocabulary = _sizes(config, place)
    head_dim = config.get("head_dim") or own.pop("head_dim", None)
    if head_dim is None and hidden % heads:
        raise UsageError(
            f"{place}: hidden_size {hidden} is no multiple of {heads} heads, and head_dim is not given."
        )
    own.pop("head_dim", None)
    bias = bool(config.get("attention_bias", False))
    settings = {"qkv_bias": bias, "output_bias": bias, **own}
    return TransformerShape(
        hidden,
        layers,
        heads,
        config.get("num_key_value_heads") or heads,
        ffn,
        head_dim or hidden // heads,
        vocabulary,
        tied=bool(config.get("tie_word_embeddings", False)),
        mlp_bias=bool(config.get("mlp_bias", False)),
        positions=config.get("max_position_embeddings") or 32_768,
        **settings,
    )


def _sizes(config: Mapping[str, Any], place: str) -> list[int]:
    """Return the sizes that every config has, in the order of ``NEEDED``."""
    missing = [name for name in NEEDED if config.get(name) is None]
    if missing:
        raise UsageError(f"{place} lacks {', '.join(missing)}. Needed: {', '.join(NEEDED)}.")
    for name in NEEDED:
        value = config[name]
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UsageError(f"{place}: {name} must be a whole number of at least 1, not {value!r}.")
    return [config[name] for name in NEEDED]


def read_shape(target: str) -> TransformerShape:
    """Return the shape of a name in ``SHAPES``, or of a config.json at a path.

    Raises:
        UnknownNameError: neither a name nor a file.
        UsageError: the file is no config of a known kind.
    """
    path = Path(target)
    if path.is_dir():
        path = path / "config.json"
    if not path.is_file():
        if path.suffix == ".json" or len(path.parts) > 1:
            raise UsageError(f"There is no config at {path}. Legal: a file, or one of {', '.join(SHAPES)}.")
        return choose("model shape", target, SHAPES)
    try:
        config = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is no config.json of a model: {error}.") from error
    if not isinstance(config, dict):
        raise UsageError(f"{path} is no config.json of a model: it holds no object.")
    return shape_from_config(config, str(path))
