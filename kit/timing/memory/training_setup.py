"""How a transformer is trained: everything beside its shape that decides what a step holds in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kit.errors import UsageError, choose

DTYPES: Mapping[str, int] = {"fp32": 4, "bf16": 2, "fp16": 2}
"""Bytes of one weight or activation."""
OPTIMIZERS: Mapping[str, float] = {"adamw": 8.0, "adamw8bit": 2 * (1 + 4 / 256), "sgd": 0.0}
"""Bytes of optimizer state for one parameter: two moments in fp32 (Kingma and Ba 2015), two in 8 bit with an fp32 scale
for each 256 (Dettmers et al. 2022), none."""
ATTENTION = ("flash", "efficient", "eager")
"""flash: a fused kernel that knows grouped queries. efficient: a fused one that wants keys and values repeated for
each query head. eager: plain matrix products, which hold all scores."""
CHECKPOINTING: Mapping[str, tuple[bool, bool]] = {
    "none": (False, False),
    "activation": (True, False),
    "gradient": (False, True),
    "both": (True, True),
}
"""By name: whether norms and activation functions, and whether whole layers, are computed again in backward."""
ALL_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
CONTEXT_BYTES = 600 * 2**20
"""What a process holds on a GPU before its first tensor: CUDA context, kernels, library workspaces. It is between 0.3
and 2 GiB, by driver and card."""
FRAGMENTATION = 0.10
"""Share of what a step allocates and frees again that the allocator reserves on top."""


@dataclass(frozen=True)
class TrainingSetup:
    """Settings of a training step. All weights are trained where ``lora_rank`` is 0, else adapters of that rank alone.

    Attributes:
        length: tokens in a sequence.
        batch: sequences in one forward and backward pass; accumulation over several costs nothing more.
        dtype: of weights, activations and gradients; one of ``DTYPES``.
        master_weights: with a 16-bit ``dtype``, an fp32 copy of what is trained, and its moments in fp32.
        optimizer: one of ``OPTIMIZERS``.
        lora_rank: rank of the adapters; 0: none.
        lora_targets: the projections that get one.
        checkpointing: one of ``CHECKPOINTING``.
        attention: one of ``ATTENTION``.
        reference_models: frozen copies of the whole model beside it. With adapters none is needed: switched off,
            they leave the reference.
        value_models: further models of this shape, trained likewise, in turn with it.
        device: ``cuda``, or ``cpu``: no context, no fragmentation, an optimizer that takes one tensor at a time.
        context_bytes: what a process holds on the GPU before its first tensor.
        fragmentation: share of a step's own allocations that is reserved on top.
    """

    length: int = 2_048
    batch: int = 1
    dtype: str = "bf16"
    master_weights: bool = True
    optimizer: str = "adamw"
    lora_rank: int = 0
    lora_targets: tuple[str, ...] = ALL_LINEAR
    checkpointing: str = "none"
    attention: str = "flash"
    reference_models: int = 0
    value_models: int = 0
    device: str = "cuda"
    context_bytes: int = CONTEXT_BYTES
    fragmentation: float = FRAGMENTATION

    def __post_init__(self) -> None:
        """Raise UsageError for an unknown name or a number out of range."""
        choose("dtype", self.dtype, DTYPES)
        choose("optimizer", self.optimizer, OPTIMIZERS)
        choose("checkpointing", self.checkpointing, CHECKPOINTING)
        choose("attention", self.attention, dict.fromkeys(ATTENTION))
        choose("device", self.device, dict.fromkeys(("cuda", "cpu")))
        for name in self.lora_targets:
            choose("adapter target", name, dict.fromkeys(ALL_LINEAR))
        for name in ("length", "batch"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)!r}.")
        for name in ("lora_rank", "reference_models", "value_models", "context_bytes", "fragmentation"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} must not be negative, and is {getattr(self, name)!r}.")
        if self.lora_rank and not self.lora_targets:
            raise UsageError(f"lora_targets is empty. Legal: {', '.join(ALL_LINEAR)}.")

    @property
    def tokens(self) -> int:
        """Return batch × length."""
        return self.batch * self.length

    @property
    def width(self) -> int:
        """Return the bytes of one weight or activation."""
        return DTYPES[self.dtype]

    @property
    def lora(self) -> bool:
        """Return whether adapters are trained rather than the weights."""
        return self.lora_rank > 0

    @property
    def recompute_small(self) -> bool:
        """Return whether norms and activation functions are computed again (activation checkpointing)."""
        return CHECKPOINTING[self.checkpointing][0]

    @property
    def recompute_layers(self) -> bool:
        """Return whether whole layers are computed again (gradient checkpointing)."""
        return CHECKPOINTING[self.checkpointing][1]

    def keeps_input(self, *projections: str) -> bool:
        """Return whether the input of these linear maps is kept: for the gradient of their weights or adapters.

        A frozen map needs its weights alone to hand a gradient on.
        """
        return not self.lora or any(name in self.lora_targets for name in projections)
