"""The memory of a training step: terms by hand, what autograd really keeps, and how the whole behaves."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.bench_memory import BAR, BF16, FP32, NARROW, UNTIED, WIDE, cases, measured
from benchmarks.transformer import Case, build
from kit.errors import UnknownNameError, UsageError
from kit.timing.memory.activations import final_norm_bytes, kept_bytes
from kit.timing.memory.estimate import Estimate, Row, fits, largest
from kit.timing.memory.generation import generation_memory, kv_bytes
from kit.timing.memory.shapes import SHAPES
from kit.timing.memory.step import training_memory
from kit.timing.memory.training_setup import CHECKPOINTING, TrainingSetup

SMALL = SHAPES["qwen2.5-0.5b"]


def test_full_training_of_7b_costs_sixteen_bytes_a_parameter():
    """Weights and gradients in bf16, fp32 copies and two fp32 moments: 2 + 2 + 4 + 8."""
    shape = SHAPES["qwen3-8b"]
    estimate = training_memory(shape, TrainingSetup(length=1))
    names = ("weights", "gradients", "master weights", "optimizer states")
    assert [estimate.bytes_of(name) for name in names] == [
        factor * shape.parameters for factor in (2, 2, 4, 8)
    ]


def test_logits_take_what_the_facts_say():
    """One sequence of 1,024 tokens at 151,936 words: 0.58 GiB for each fp32 copy, three of them, and one in bf16."""
    estimate = training_memory(SMALL, TrainingSetup(length=1_024, lora_rank=8))
    copy = 1_024 * 151_936 * 4
    assert copy / 2**30 == pytest.approx(0.58, abs=0.005)
    assert estimate.peak_at == "loss"
    assert estimate.bytes_of("log-probabilities") == 3 * copy
    assert estimate.bytes_of("logits") == copy / 2


def test_the_cache_of_the_half_billion_model_is_12288_bytes_a_token():
    """2 × 24 layers × 2 heads × 64 × 2 B; 64 sequences of 1,000 tokens need as many times that."""
    assert kv_bytes(SMALL, 2) == 12_288
    estimate = generation_memory(SMALL, length=1_000, batch=64)
    assert estimate.bytes_of("KV cache") == 12_288 * 64_000
    assert estimate.bytes_of("logits") == 64 * 151_936 * 10


def test_what_is_frozen_has_no_gradient_and_no_state():
    """With adapters everything that is trained is theirs: 2 + 2 + 4 + 8 bytes each, and the weights are there once."""
    setup = TrainingSetup(length=1, lora_rank=4, lora_targets=("q_proj", "v_proj"))
    estimate = training_memory(SMALL, setup)
    adapters = 24 * 4 * (896 + 896 + 896 + 128)
    assert estimate.bytes_of("weights") == 2 * SMALL.parameters
    names = ("adapters", "gradients", "master weights", "optimizer states")
    assert sum(estimate.bytes_of(name) for name in names) == 16 * adapters


def test_a_reference_is_a_frozen_copy_and_a_value_model_a_trained_one():
    """A reference adds the weights; a value model what the policy costs, with one more number to predict."""
    setup = replace(TrainingSetup(length=1), reference_models=1, value_models=1)
    estimate = training_memory(SMALL, setup)
    assert estimate.bytes_of("reference models") == 2 * SMALL.parameters
    assert estimate.bytes_of("value models") == 16 * (SMALL.parameters + SMALL.hidden)


def test_eight_bit_adam_keeps_two_bytes_and_a_scale():
    """Two moments of a byte, and an fp32 scale for each 256: 2.03 bytes a parameter."""
    estimate = training_memory(SMALL, TrainingSetup(length=1, optimizer="adamw8bit"))
    assert estimate.bytes_of("optimizer states") == pytest.approx(2.03125 * SMALL.parameters)


SETUPS = [
    FP32,
    BF16,
    replace(FP32, attention="eager", length=64),
    replace(BF16, attention="eager", length=64),
    *(replace(one, lora_rank=4) for one in (FP32, BF16)),
    replace(BF16, lora_rank=4, lora_targets=("q_proj", "v_proj")),
    replace(FP32, checkpointing="gradient"),
    replace(BF16, checkpointing="activation"),
]


@pytest.mark.parametrize(
    "setup", SETUPS, ids=lambda setup: f"{setup.dtype}-{setup.lora_rank}-{setup.checkpointing}"
)
@pytest.mark.parametrize(("family", "shape"), [("qwen3", NARROW), ("llama", WIDE), ("qwen2", UNTIED)])
def test_activations_are_what_autograd_keeps(family, shape, setup):
    """The bytes that all layers keep are those of the tensors that autograd saves in transformers' own model."""
    setup = replace(setup, length=min(setup.length, 64))
    expected = (kept_bytes(shape, setup) + final_norm_bytes(shape, setup)) * setup.tokens
    assert saved_bytes(Case(family, shape, setup)) == pytest.approx(expected, rel=0.01)


def saved_bytes(case: Case) -> int:
    """Return the bytes of the distinct tensors, weights apart, that the model's body keeps for its backward pass."""
    model = build(case)
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if (
            storage.data_ptr() not in weights
            and tensor.is_floating_point()
            and storage.nbytes() > 4 * case.setup.tokens
        ):
            kept[storage.data_ptr()] = storage
        return tensor

    ids = torch.zeros((case.setup.batch, case.setup.length), dtype=torch.int64)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        hidden = model.model(input_ids=ids).last_hidden_state
        head = 0 if case.setup.lora else hidden.untyped_storage().nbytes()
    assert hidden.requires_grad
    return sum(storage.nbytes() for storage in kept.values()) + head


def test_a_small_training_step_is_estimated_within_ten_percent():
    """The estimate of a step is within a tenth of the peak that torch's profiler counts."""
    assert measured(cases()[0])["ratio"] == pytest.approx(1, abs=BAR)


@pytest.mark.slow
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_every_training_step_of_the_table_is_within_ten_percent(case):
    """No family, type, batch, length, adapter or way of checkpointing is further off than a tenth."""
    assert measured(case)["ratio"] == pytest.approx(1, abs=BAR)


@given(
    st.integers(1, 4_000),
    st.integers(1, 16),
    st.sampled_from(sorted(CHECKPOINTING)),
    st.sampled_from(["flash", "efficient", "eager"]),
    st.integers(0, 64),
)
def test_the_estimate_grows_with_length_and_batch(length, batch, checkpointing, attention, rank):
    """One token or one sequence more never needs less, which is what bisection stands on."""
    setup = TrainingSetup(length, batch, lora_rank=rank, checkpointing=checkpointing, attention=attention)
    here = training_memory(SMALL, setup).total_bytes
    assert training_memory(SMALL, replace(setup, length=length + 1)).total_bytes >= here
    assert training_memory(SMALL, replace(setup, batch=batch + 1)).total_bytes >= here


@given(st.integers(1, 4_000), st.sampled_from([0, 32]))
def test_checkpointing_never_costs_memory(length, rank):
    """Of the four ways, both switches together need least and neither needs most."""
    setup = TrainingSetup(length, lora_rank=rank)
    totals = {
        name: training_memory(SMALL, replace(setup, checkpointing=name)).total_bytes for name in CHECKPOINTING
    }
    assert max(totals.values()) == totals["none"]
    assert min(totals.values()) == totals["both"]


def _linear(size: int) -> Estimate:
    return Estimate((Row("tokens", 10 * size, "ten bytes each"),))


@given(st.integers(1, 10_000), st.integers(1, 500))
def test_the_largest_that_fits_is_the_largest(room, at_most):
    """What bisection finds fits and one more does not, unless it is the most that was asked for."""
    found = largest(_linear, room, at_most)
    assert found == min(room // 10, at_most)
    assert found == 0 or fits(_linear(found), room)


@pytest.mark.parametrize(
    ("settings", "nearest"),
    [
        ({"dtype": "bf15"}, "bf16"),
        ({"checkpointing": "gradients"}, "gradient"),
        ({"optimizer": "adam"}, "adamw"),
        ({"attention": "flashy"}, "flash"),
        ({"lora_targets": ("q_projs",)}, "q_proj"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_nearest(settings, nearest):
    """Each setting that is a name has an error with the legal ones and the closest."""
    with pytest.raises(UnknownNameError) as error:
        TrainingSetup(**settings)
    assert error.value.nearest == nearest


@pytest.mark.parametrize(
    "settings", [{"length": 0}, {"batch": -1}, {"lora_rank": -1}, {"fragmentation": -0.1}]
)
def test_a_number_out_of_range_is_refused(settings):
    """Lengths and batches start at 1, everything else at 0; the message names the setting."""
    with pytest.raises(UsageError, match=next(iter(settings))):
        TrainingSetup(**settings)
