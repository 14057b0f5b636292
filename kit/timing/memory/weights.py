"""What a training step holds whatever its batch: weights, adapters, gradients, optimizer states, other models."""

from __future__ import annotations

from kit.timing.memory.estimate import Row
from kit.timing.memory.shapes import TransformerShape
from kit.timing.memory.training_setup import OPTIMIZERS, TrainingSetup


def trained_parameters(shape: TransformerShape, setup: TrainingSetup) -> int:
    """Return how many parameters have gradients: the adapters', else all."""
    if setup.lora:
        return shape.lora_parameters(setup.lora_rank, setup.lora_targets)
    return shape.parameters


def state_bytes(setup: TrainingSetup) -> float:
    """Return the bytes of optimizer state for one trained parameter, the fp32 copy of it apart.

    Moments follow the dtype of what the optimizer steps: fp32 for fp32 weights and for master copies, else 16 bit.
    """
    full = OPTIMIZERS[setup.optimizer]
    in_fp32 = setup.width == 4 or setup.master_weights or setup.optimizer == "adamw8bit"
    return full if in_fp32 else full / 2


def static_rows(shape: TransformerShape, setup: TrainingSetup) -> list[Row]:
    """Return weights, adapters, fp32 copies, gradients, optimizer states and other models; gradients accumulate.

    Bytes: parameters × width; trained × (width for gradients + 4 for a master copy + ``state_bytes``).
    """
    trained, width = trained_parameters(shape, setup), setup.width
    master = 4 * trained if setup.master_weights and width == 2 else 0
    own = "frozen" if setup.lora else "trained"
    rows = [Row("weights", shape.parameters * width, f"{shape.parameters:,} {own}, {setup.dtype}")]
    if setup.lora:
        rows.append(Row("adapters", trained * width, f"{trained:,} of rank {setup.lora_rank}, {setup.dtype}"))
    state = round(trained * state_bytes(setup))
    rows += [
        Row("gradients", trained * width, f"of {trained:,} parameters, {setup.dtype}"),
        Row("master weights", master, "fp32 copies that the optimizer steps"),
        Row("optimizer states", state, f"{setup.optimizer}, {state_bytes(setup):.3g} B a parameter"),
    ]
    one_more = sum(row.bytes for row in rows) - _head_bytes(shape, setup) + _value_head_bytes(shape, setup)
    reference = setup.reference_models * shape.parameters * width
    count = setup.value_models
    return [
        *rows,
        Row("reference models", reference, f"{setup.reference_models} frozen, {setup.dtype}"),
        Row("value models", count * one_more, f"{count} of this shape with a value head, trained likewise"),
    ]


def _cost_of_one(setup: TrainingSetup) -> float:
    """Return the bytes of one trained parameter: weight, gradient, master copy, optimizer state."""
    master = 4 if setup.master_weights and setup.width == 2 else 0
    return 2 * setup.width + master + state_bytes(setup)


def _value_head_bytes(shape: TransformerShape, setup: TrainingSetup) -> int:
    """Return what a trained map from the hidden width to one number costs."""
    return round(shape.hidden * _cost_of_one(setup))


def _head_bytes(shape: TransformerShape, setup: TrainingSetup) -> int:
    """Return what a language head costs that a value model does not have: nothing where it is the embedding."""
    if shape.tied:
        return 0
    return round(shape.head_parameters * (setup.width if setup.lora else _cost_of_one(setup)))


def largest_trained(shape: TransformerShape, setup: TrainingSetup) -> int:
    """Return the parameters of the largest tensor that is trained: the embedding, or the widest adapter matrix."""
    projections = shape.projections()
    if setup.lora:
        return setup.lora_rank * max(max(projections[name]) for name in setup.lora_targets)
    return max(shape.head_parameters, *(inputs * outputs for inputs, outputs in projections.values()))


def optimizer_rows(shape: TransformerShape, setup: TrainingSetup) -> list[Row]:
    """Return what ``optimizer.step`` needs for a moment: the denominators √v̂ + ε of Adam.

    On CUDA torch makes them for all parameters at once (its foreach implementation), on a CPU for one tensor at a time,
    of which it holds two (the root, and the root divided).
    """
    each = 4 if setup.width == 4 or setup.master_weights else setup.width
    if setup.optimizer != "adamw":
        return []
    if setup.device == "cpu":
        bytes_ = 2 * each * largest_trained(shape, setup)
        return [Row("optimizer temporaries", bytes_, "two of the largest tensor's size")]
    bytes_ = each * trained_parameters(shape, setup)
    return [Row("optimizer temporaries", bytes_, "denominators of all parameters at once")]
