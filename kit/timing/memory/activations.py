"""What autograd keeps of a forward pass, in bytes a token, from the operations of a decoder layer.

The rules: a product keeps those factors whose partner needs a gradient; a linear map keeps its input where its weights
or an adapter on them are trained; additions, casts and reshapes keep nothing; a tensor that several operations keep
counts once. RMSNorm, which computes in fp32, keeps its fp32 input, the reciprocal root for each row, and, where its own
weights are trained, its normalised input. A gated MLP keeps gate, SiLU(gate), up and their product.
"""

from __future__ import annotations

from kit.timing.memory.shapes import TransformerShape
from kit.timing.memory.training_setup import TrainingSetup


def norm_bytes(width: int, rows: int, setup: TrainingSetup, *, small: bool | None = None) -> int:
    """Return what RMSNorm keeps for ``rows`` rows of ``width`` in all, its output apart.

    In fp32 its input is kept as it is; from 16 bit a copy in fp32. Computed again, only the input is kept.
    """
    recomputed = setup.recompute_small if small is None else small
    if recomputed:
        return width * setup.width
    normalised = 0 if setup.lora else width * setup.width
    return 4 * width + 4 * rows + normalised


def attention_bytes(shape: TransformerShape, setup: TrainingSetup) -> int:
    """Return what attention keeps for a token, from its norm to its output projection.

    A fused kernel keeps queries, keys, values, output and a log-sum-exp for each head (Dao et al. 2022); eager
    attention queries, keys, values and the probabilities of all pairs, in fp32 and, from 16 bit, again in that. Keys
    and values count once for each query head where they are repeated for it.
    """
    query, key, width = shape.query_width, shape.kv_width, setup.width
    kept = norm_bytes(shape.hidden, 1, setup)
    if setup.keeps_input("q_proj", "k_proj", "v_proj"):
        kept += shape.hidden * width
    if shape.qk_norm:
        kept += norm_bytes(query, shape.heads, setup) + norm_bytes(key, shape.kv_heads, setup)
    repeated = key if setup.attention == "flash" else query
    kept += (query + 2 * repeated) * width
    if setup.attention == "eager":
        kept += score_bytes(shape, setup)
        return kept + (query * width if setup.keeps_input("o_proj") else 0)
    return kept + query * width + 4 * shape.heads


def score_bytes(shape: TransformerShape, setup: TrainingSetup) -> int:
    """Return the probabilities that eager attention keeps for a token: heads × length, fp32, and again in 16 bit."""
    return shape.heads * setup.length * (4 + (2 if setup.width == 2 else 0))


def mlp_bytes(shape: TransformerShape, setup: TrainingSetup) -> int:
    """Return what the MLP keeps for a token, its norm included."""
    kept = norm_bytes(shape.hidden, 1, setup)
    if setup.keeps_input("gate_proj", "up_proj"):
        kept += shape.hidden * setup.width
    products = 3 + (1 if setup.keeps_input("down_proj") else 0)
    return kept + products * shape.ffn * setup.width


def layer_bytes(shape: TransformerShape, setup: TrainingSetup) -> int:
    """Return what a whole layer keeps for a token: attention, MLP, and A·x of each adapter."""
    adapters = len(setup.lora_targets) * setup.lora_rank * setup.width
    return attention_bytes(shape, setup) + mlp_bytes(shape, setup) + adapters


def kept_bytes(shape: TransformerShape, setup: TrainingSetup) -> int:
    """Return what all layers keep for a token: each in full, or with gradient checkpointing its input alone."""
    each = shape.hidden * setup.width if setup.recompute_layers else layer_bytes(shape, setup)
    return shape.layers * each


def final_norm_bytes(shape: TransformerShape, setup: TrainingSetup) -> int:
    """Return what the last norm keeps for a token, with the head's input where the head is trained."""
    head = 0 if setup.lora else shape.hidden * setup.width
    return norm_bytes(shape.hidden, 1, setup) + head
