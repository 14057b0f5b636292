"""Generating with a transformer: weights, key-value cache and the logits of a step, and how many tokens fit."""

from __future__ import annotations

from kit.errors import UsageError, choose
from kit.timing.memory.estimate import Estimate, Row
from kit.timing.memory.shapes import TransformerShape
from kit.timing.memory.training_setup import CONTEXT_BYTES, DTYPES, FRAGMENTATION


def kv_bytes(shape: TransformerShape, width: int) -> int:
    """Return the key-value cache for one token: 2 × layers × kv_heads × head_dim × bytes of a number."""
    return 2 * shape.layers * shape.kv_width * width


def generation_memory(
    shape: TransformerShape,
    *,
    length: int,
    batch: int,
    dtype: str = "bf16",
    context_bytes: int = CONTEXT_BYTES,
    fragmentation: float = FRAGMENTATION,
) -> Estimate:
    """Return what generating ``batch`` sequences of up to ``length`` tokens at once holds.

    Beside weights and cache the logits of one position for each sequence, in the model's dtype and twice in fp32
    (scores and probabilities). The prompt's own pass is taken to be cut so that it needs no more than that.

    Raises:
        UsageError: a length or a batch below 1, or a dtype that is none.
    """
    if length < 1 or batch < 1:
        raise UsageError(f"length and batch must be at least 1, not {length!r} and {batch!r}.")
    width = choose("dtype", dtype, DTYPES)
    cache = kv_bytes(shape, width)
    logits = batch * shape.vocabulary * (width + 8)
    share = round(fragmentation * logits)
    rows = [
        Row("weights", shape.parameters * width, f"{shape.parameters:,}, {dtype}"),
        Row("KV cache", cache * batch * length, f"{cache:,} B a token × {batch:,} × {length:,} tokens"),
        Row("logits", logits, f"one position of {batch:,} sequences, {dtype} and twice fp32"),
        Row("fragmentation", share, f"{fragmentation:.0%} of the logits", assumed=True),
        Row("CUDA context", context_bytes, "context, kernels, workspaces", assumed=True),
    ]
    return Estimate.at_peak({"generation": rows})
