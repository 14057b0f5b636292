"""A training step of a transformer: what is live at each of its moments, and the one that needs most."""

from __future__ import annotations

from kit.timing.memory.activations import (
    final_norm_bytes,
    kept_bytes,
    layer_bytes,
    mlp_bytes,
    norm_bytes,
    score_bytes,
)
from kit.timing.memory.estimate import Estimate, Row
from kit.timing.memory.shapes import TransformerShape
from kit.timing.memory.training_setup import TrainingSetup
from kit.timing.memory.weights import optimizer_rows, static_rows


def training_memory(shape: TransformerShape, setup: TrainingSetup) -> Estimate:
    """Return what a step holds at its worst moment, from the second step on (optimizer states are there by then).

    The moments: ``loss`` (all that forward kept, and the gradient of the log-probabilities), ``head`` (its weights'
    gradient), ``final norm``, ``last layer``, ``norm`` and ``attention`` (the MLP, its norm, and the attention of the
    layer that backward comes to first), ``embedding`` (the end of backward), ``optimizer``. Peak = max over them; the
    sum of everything that ever lives would be far above it.
    """
    static = static_rows(shape, setup)
    moments = {
        "loss": loss_rows(shape, setup),
        "head": head_rows(shape, setup),
        "final norm": final_norm_rows(shape, setup),
        "last layer": layer_rows(shape, setup),
        "norm": norm_rows(shape, setup),
        "attention": attention_rows(shape, setup),
        "embedding": embedding_rows(shape, setup),
        "optimizer": optimizer_rows(shape, setup),
    }
    return Estimate.at_peak({name: [*static, *_reserved(rows, setup)] for name, rows in moments.items()})


def _reserved(rows: list[Row], setup: TrainingSetup) -> list[Row]:
    """Return the rows with what only a GPU adds: fragmentation of what a step allocates, and the context."""
    if setup.device == "cpu":
        return rows
    share = round(setup.fragmentation * sum(row.bytes for row in rows))
    return [
        *rows,
        Row("fragmentation", share, f"{setup.fragmentation:.0%} of what a step allocates", assumed=True),
        Row("CUDA context", setup.context_bytes, "context, kernels, workspaces", assumed=True),
    ]


def _kept_row(shape: TransformerShape, setup: TrainingSetup, *, less: int = 0) -> Row:
    """Return the row of what forward kept; ``less`` is what of the last layer is free again, bytes a token."""
    each = shape.hidden * setup.width if setup.recompute_layers else layer_bytes(shape, setup)
    reason = f"{shape.layers} layers × {each:,} B × {setup.tokens:,} tokens"
    return Row("activations", (kept_bytes(shape, setup) - less) * setup.tokens, reason)


def _position_rows(shape: TransformerShape, setup: TrainingSetup) -> list[Row]:
    """Return rotary tables, token numbers (ids, labels, positions), and what layers are handed.

    That is a mask, where layers that are computed again need it again, and, where adapters are trained and nothing else
    keeps it (from 16 bit, nothing computed again), the embedding's output: there the gradient ends.
    """
    tables = 2 * setup.length * shape.head_dim * setup.width
    mask = setup.length**2 * setup.width if setup.attention == "eager" and setup.recompute_layers else 0
    alone = setup.lora and setup.width == 2 and setup.checkpointing == "none"
    first = shape.hidden * setup.width * setup.tokens if alone else 0
    return [
        Row("inputs", tables + 24 * setup.tokens + mask + first, "rotary tables, token numbers, first input")
    ]


def loss_rows(shape: TransformerShape, setup: TrainingSetup) -> list[Row]:
    """Return what is live when the loss has its gradient taken.

    Logits in the model's dtype, kept by its output; and in fp32 the log-probabilities, their gradient, and the gradient
    of the logits: tokens × vocabulary × (width + 3 · 4) bytes.
    """
    size = setup.tokens * shape.vocabulary
    return [
        _kept_row(shape, setup),
        Row("final norm", final_norm_bytes(shape, setup) * setup.tokens, "before the head"),
        *_position_rows(shape, setup),
        Row("logits", size * setup.width, f"{setup.tokens:,} × {shape.vocabulary:,}, {setup.dtype}"),
        Row("log-probabilities", size * 12, "fp32: themselves, their gradient, the logits' gradient"),
    ]


def head_rows(shape: TransformerShape, setup: TrainingSetup) -> list[Row]:
    """Return what is live in the backward of the head: logits and their gradient, the head's new gradient."""
    size, width = setup.tokens * shape.vocabulary, setup.width
    return [
        _kept_row(shape, setup),
        Row("final norm", final_norm_bytes(shape, setup) * setup.tokens, "before the head"),
        *_position_rows(shape, setup),
        Row("logits", 2 * size * width, "with their gradient"),
        Row(
            "weight gradient",
            0 if setup.lora else shape.head_parameters * width,
            "of the head, before it is added",
        ),
        Row("activation gradients", setup.tokens * shape.hidden * width, "of the head's input"),
    ]


def _backward_rows(shape: TransformerShape, setup: TrainingSetup) -> list[Row]:
    """Return what is live all through the backward of the layers: logits, and a tied head's gradient."""
    tied = shape.tied and not setup.lora
    return [
        *_position_rows(shape, setup),
        Row("logits", setup.tokens * shape.vocabulary * setup.width, "held by the model's output"),
        Row(
            "weight gradient",
            shape.head_parameters * setup.width if tied else 0,
            "of the tied head, waiting for the embedding's",
        ),
    ]


def layer_rows(shape: TransformerShape, setup: TrainingSetup) -> list[Row]:
    """Return what is live in the MLP of the layer that backward comes to first.

    Of the layer everything, computed again where it was not kept. Then either the gradient of the product with that of
    ``down_proj``'s weights, or, the product gone, the gradients of product, gate and up: the larger of the two.
    """
    width, tokens = setup.width, setup.tokens
    weight = 0 if setup.lora else shape.ffn * shape.hidden
    product = shape.ffn if setup.keeps_input("down_proj") else 0
    here = tokens * shape.ffn + weight
    there = tokens * (3 * shape.ffn - product)
    gradients = (tokens * shape.hidden + max(here, there)) * width
    return [
        _kept_row(shape, setup),
        _recomputed_row(shape, setup),
        *_backward_rows(shape, setup),
        Row("activation gradients", gradients, "of the MLP: product, gate, up, and the layer's output"),
    ]


def _recomputed_row(shape: TransformerShape, setup: TrainingSetup, *, less: int = 0) -> Row:
    """Return what computing the layer again adds; without a cast its first norm keeps the very input of the layer."""
    if not setup.recompute_layers:
        return Row("recomputed layer", 0, "")
    shared = shape.hidden * setup.width if setup.width == 4 or setup.recompute_small else 0
    again = layer_bytes(shape, setup) - shared - less
    return Row("recomputed layer", again * setup.tokens, f"one layer × {again:,} B a token")


def norm_gradient_bytes(shape: TransformerShape, setup: TrainingSetup) -> int:
    """Return what the backward of RMSNorm holds for a token beside what was kept for it.

    Of the hidden width: in fp32 the gradient that comes through the reciprocal root, that through the square, and their
    factor (from 16 bit also the gradient before they part), and in the model's dtype those of output and input. A norm
    that is computed again has what it keeps once more.
    """
    again = norm_bytes(shape.hidden, 1, setup, small=False) if setup.recompute_small else 0
    return ((16 if setup.width == 2 else 12) + 2 * setup.width) * shape.hidden + again


def final_norm_rows(shape: TransformerShape, setup: TrainingSetup) -> list[Row]:
    """Return what is live in the backward of the last norm: all that the layers kept, and its own gradients."""
    return [
        _kept_row(shape, setup),
        Row("final norm", final_norm_bytes(shape, setup) * setup.tokens, "before the head"),
        *_backward_rows(shape, setup),
        Row("activation gradients", norm_gradient_bytes(shape, setup) * setup.tokens, "of the last norm"),
    ]


def norm_rows(shape: TransformerShape, setup: TrainingSetup) -> list[Row]:
    """Return what is live in the norm before that layer's MLP, which is done; the largest where the MLP is narrow."""
    less = mlp_bytes(shape, setup) - norm_bytes(shape.hidden, 1, setup)
    return [
        _kept_row(shape, setup, less=0 if setup.recompute_layers else less),
        _recomputed_row(shape, setup, less=less),
        *_backward_rows(shape, setup),
        Row("activation gradients", norm_gradient_bytes(shape, setup) * setup.tokens, "of the MLP's norm"),
    ]


def attention_rows(shape: TransformerShape, setup: TrainingSetup) -> list[Row]:
    """Return what is live in the attention of that layer, when its MLP is done.

    Fused: gradients of queries, keys, values and output. Eager: the probabilities' gradient and the scores' as well, in
    fp32, heads × length × 8 bytes a token, and the 16-bit probabilities gone.
    """
    width, tokens = setup.width, setup.tokens
    repeated = shape.kv_width if setup.attention == "flash" else shape.query_width
    gradients = (2 * shape.query_width + 2 * repeated + shape.hidden) * width
    less = mlp_bytes(shape, setup)
    if setup.attention == "eager":
        scores = shape.heads * setup.length
        gradients += 8 * scores
        less += score_bytes(shape, setup) - 4 * scores
    kept_less = 0 if setup.recompute_layers else less
    return [
        _kept_row(shape, setup, less=kept_less),
        _recomputed_row(shape, setup, less=less),
        *_backward_rows(shape, setup),
        Row("activation gradients", gradients * tokens, "of the attention"),
    ]


def embedding_rows(shape: TransformerShape, setup: TrainingSetup) -> list[Row]:
    """Return what is live at the end of backward: the embedding's gradient before it is added.

    Tied to the head, whose gradient has been waiting for it, both and their sum.
    """
    if setup.lora:
        return []
    copies = 2 if shape.tied else 1
    weight = copies * shape.head_parameters * setup.width
    return [
        *_backward_rows(shape, setup),
        Row("activation gradients", setup.tokens * shape.hidden * setup.width, "of the embedding's output"),
        Row(
            "embedding gradient",
            weight,
            "and its sum with the head's" if shape.tied else "before it is added",
        ),
    ]
