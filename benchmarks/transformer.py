"""Training steps of tiny transformers on a CPU, and the bytes that torch's profiler counts in them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from kit.timing.memory.shapes import TransformerShape
from kit.timing.memory.training_setup import TrainingSetup

STEPS = 2  # the second one has optimizer states and gradients from the start
TORCH_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Case:
    """One training step to be measured: which family of models, its shape, and how it is trained."""

    family: str
    shape: TransformerShape
    setup: TrainingSetup

    @property
    def name(self) -> str:
        """Return what tells it from the others."""
        setup, shape = self.setup, self.shape
        trained = f"LoRA {setup.lora_rank}" if setup.lora else "all weights"
        head = "tied" if shape.tied else "untied"
        return (
            f"{self.family} {shape.layers}×{shape.hidden}, V {shape.vocabulary:,} {head}, {trained}, "
            f"{setup.batch}×{setup.length}, {setup.dtype}, {setup.attention}, checkpointing {setup.checkpointing}"
        )


class Adapted(torch.nn.Module):
    """A frozen linear map with a low-rank adapter beside it: W x + B A x · scale (Hu et al. 2021)."""

    def __init__(self, base: torch.nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base
        kind = {"bias": False, "dtype": base.weight.dtype, "device": base.weight.device}
        self.down = torch.nn.Linear(base.in_features, rank, **kind)
        self.up = torch.nn.Linear(rank, base.out_features, **kind)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (…, outputs) of (…, inputs)."""
        return self.base(x) + self.up(self.down(x)) * 2.0


def build(case: Case) -> Any:
    """Return the family's model of transformers, ready for training, on the default device."""
    model = _model(case)
    setup = case.setup
    if setup.lora:
        model.requires_grad_(False)
        _adapt(model, setup)
        model.enable_input_require_grads()
    if setup.recompute_layers:
        _recompute_layers(model)
    if setup.recompute_small:
        recompute_small(model)
    return model.train()


def _recompute_layers(model: Any) -> None:
    """Have each layer computed again; transformers renamed the switch in 5.x, to what others call something else."""
    name = "activation_checkpointing_enable"
    enable = getattr(model, name, None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})


def _model(case: Case) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = case.shape
    config = AutoConfig.for_model(
        case.family,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        intermediate_size=shape.ffn,
        head_dim=shape.head_dim,
        vocab_size=shape.vocabulary,
        tie_word_embeddings=shape.tied,
        use_cache=False,
    )
    kind = "eager" if case.setup.attention == "eager" else "sdpa"
    dtype = TORCH_DTYPES[case.setup.dtype]
    return AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=kind)


def _adapt(model: torch.nn.Module, setup: TrainingSetup) -> None:
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if name in setup.lora_targets and isinstance(child, torch.nn.Linear):
                setattr(module, name, Adapted(child, setup.lora_rank))


def recompute_small(model: torch.nn.Module) -> None:
    """Checkpoint every norm and activation function by itself."""
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import (
        apply_activation_checkpointing,
        checkpoint_wrapper,
    )

    def small(module: torch.nn.Module) -> bool:
        name = type(module).__name__
        return name.endswith("RMSNorm") or name.startswith("SiLU")

    apply_activation_checkpointing(model, checkpoint_wrapper_fn=checkpoint_wrapper, check_fn=small)


def profiled_bytes(case: Case) -> int:
    """Return the peak of bytes allocated on the CPU by building the model and taking ``STEPS`` training steps."""
    torch.manual_seed(0)
    return peak_bytes(lambda: _train(case))


def peak_bytes(work: Callable[[], object]) -> int:
    """Return the peak of bytes that are allocated on the CPU by ``work``, beside what was there before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    held, peak = 0, 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def _train(case: Case) -> None:
    model = build(case)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=1e-4)
    ids = torch.randint(0, case.shape.vocabulary, (case.setup.batch, case.setup.length))
    for _ in range(STEPS):
        _step(model, ids)
        optimizer.step()


def _step(model: Any, ids: torch.Tensor) -> None:
    output = model(input_ids=ids, labels=ids)
    output.loss.backward()
    assert math.isfinite(output.loss.item())
