"""A small budget for tests, without contradictions, and what changes in it."""

from pathlib import Path

from kit.timing.budget import Budget, parse_budget

SHIPPED = Path(__file__).resolve().parents[3] / "budget.yaml"
SMALL = """\
# a comment on top
plan:
  seeds: 2
  contingency: 0 %
  without: [one_time, ablation, online]
cards:
  A100 40GB: {memory: 40 GB, price: 2 USD/GPU-h}
kaggle: {cards: 2 GPU, card_memory: 16 GB, quota_per_week: 30 GPU-h, session: 12 h, slowdown: 1 x}
stages:
  sft:
    kind: training
    group: core
    gpu: A100 40GB
    gpus: 1 GPU
    vram: 30 GB  # with checkpointing
    batch_size: 8
    accumulation: 4
    effective_batch: 32
    dataset_size: 10,000 samples
    epochs: 3
    time_per_epoch:
      value: 10 h  # a guess
      projection: [dataset_size / samples_per_s, step_time * dataset_size / effective_batch]
    step_time: = time_per_epoch * effective_batch / dataset_size  # follows
    evaluation_overhead: 0 %
    gpu_hours: = time_per_epoch * epochs * gpus
    planning_budget: 40 GPU-h
    storage: 20 GB
"""


def changed(*changes: tuple[str, str], text: str = SMALL) -> str:
    """The small budget with each first text replaced by the second; each must be there exactly once."""
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def made(*changes: tuple[str, str]) -> Budget:
    """The small budget, changed and worked out."""
    return parse_budget(changed(*changes), "budget.yaml")


def contradictions(budget: Budget) -> list[tuple[str, str]]:
    """Which check found something, and where."""
    return [(one.check, one.place) for one in budget.findings if one.kind == "contradiction"]
