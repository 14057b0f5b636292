"""The estimate of a training step's memory beside the bytes that torch's profiler counts on a CPU: within 10 %.

Tiny models of the same code that large ones run (transformers' Llama, Qwen2 and Qwen3), in shapes and settings that
make one term or another the largest. On a CPU there is no context and no fragmentation: those two are not checked here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.transformer import Case, profiled_bytes
from kit.timing.memory.shapes import TransformerShape
from kit.timing.memory.step import training_memory
from kit.timing.memory.training_setup import TrainingSetup

BAR = 0.10
NARROW = TransformerShape(256, 4, 4, 2, 768, 64, 512, qk_norm=True)
WIDE = TransformerShape(128, 2, 4, 2, 384, 32, 16_000)
UNTIED = TransformerShape(192, 6, 6, 6, 512, 32, 2_000, tied=False, qkv_bias=True)
BROAD = TransformerShape(512, 4, 8, 4, 1536, 64, 512, qk_norm=True)
FP32 = TrainingSetup(512, 2, dtype="fp32", device="cpu", attention="flash")
BF16 = replace(FP32, dtype="bf16", master_weights=False)


def cases() -> list[Case]:
    """Return the steps to be measured: families, batch × length, types, adapters, and all ways of checkpointing."""
    made = [
        Case("qwen3", NARROW, replace(FP32, checkpointing=name)) for name in ("none", "activation", "both")
    ]
    made += [Case("qwen3", NARROW, replace(FP32, checkpointing="gradient", length=1024))]
    made += [Case("llama", WIDE, FP32), Case("llama", WIDE, replace(FP32, batch=8, length=128))]
    made += [Case("llama", WIDE, replace(FP32, checkpointing="gradient"))]
    made += [Case("qwen2", UNTIED, replace(FP32, batch=batch, length=256)) for batch in (1, 8)]
    made += [Case("qwen2", UNTIED, replace(FP32, checkpointing="gradient", batch=4))]
    made += [
        Case("qwen3", NARROW, replace(BF16, checkpointing=name))
        for name in ("none", "activation", "gradient", "both")
    ]
    made += [Case("qwen3", NARROW, replace(FP32, attention="eager", batch=1))]
    made += [Case("llama", WIDE, replace(FP32, lora_rank=8))]
    made += [
        Case("qwen3", NARROW, replace(one, lora_rank=8, checkpointing=name))
        for one in (FP32, BF16)
        for name in ("none", "gradient")
    ]
    made += [Case("qwen3", BROAD, replace(BF16, lora_rank=16))]
    made += [
        Case("llama", replace(WIDE, tied=tied), replace(BF16, batch=1, length=8)) for tied in (True, False)
    ]
    return [*made, Case("qwen3", NARROW, replace(FP32, batch=1, length=16))]


def main() -> list[dict[str, Any]]:
    """Measure every case; print estimate, measured bytes and their ratio."""
    rows = [measured(case) for case in cases()]
    worst = max(rows, key=lambda row: abs(row["ratio"] - 1))
    print(f"worst: {worst['ratio'] - 1:+.1%} ({worst['name']}); aim ± {BAR:.0%}")
    return rows


def measured(case: Case) -> dict[str, Any]:
    """Return the row of one case: the estimate, against what the profiler counted."""
    estimate, counted = training_memory(case.shape, case.setup), profiled_bytes(case)
    ratio = estimate.total_bytes / counted
    print(
        f"{case.name}: {estimate.total_bytes / 1e6:.1f} MB at {estimate.peak_at}, counted {counted / 1e6:.1f} MB, "
        f"{ratio - 1:+.1%}"
    )
    return {
        "name": f"memory, {case.name}",
        "value": estimate.total_bytes / 1e6,
        "unit": "MB",
        "against": f"torch's profiler on a CPU, {counted / 1e6:.1f} MB (aim ± {BAR:.0%})",
        "ratio": ratio,
    }


if __name__ == "__main__":
    main()
