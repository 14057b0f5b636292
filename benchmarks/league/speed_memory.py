"""Peak memory of an update with each of the two switches off and on, beside transformers and peft alone."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

from benchmarks.league.speed_plain_training import PlainReinforce
from benchmarks.league.speed_player import ANSWER_TOKENS
from benchmarks.league.speed_rows import Row, row
from benchmarks.league.speed_size import Size
from benchmarks.league.speed_training import GAME, LORA, learner, played, sized
from benchmarks.transformer import peak_bytes
from kit.league.learners import Reinforce
from kit.league.prompt_templates import QWEN3_ZS

UNIT = "MB"
NAMES = ("activation", "gradient")


def measure(size: Size, model: Path) -> list[Row]:
    """Return the peak of bytes that torch's profiler counts in an update, beside the weights that are there before."""
    _, mini = sized(size, QWEN3_ZS.name)
    steps = [step for episode in played(model, QWEN3_ZS.name, mini) for step in episode][:mini]
    plain = PlainReinforce(model, LORA, mini, ANSWER_TOKENS[QWEN3_ZS.name])
    theirs = _second(lambda: plain.update(steps))
    rows = []
    for switches in product((False, True), repeat=2):
        made = learner(model, Reinforce, QWEN3_ZS.name, mini, *switches)
        ours = _second(lambda made=made: made.update(steps))  # type: ignore[misc]
        on = " and ".join(name for name, switch in zip(NAMES, switches, strict=True) if switch)
        name = f"Peak of an update, {GAME}: {f'{on} checkpointing' if on else 'no checkpointing'}"
        against = f"transformers and peft alone, none: {theirs / 1e6:.1f}"
        rows.append(row(name, ours / 1e6, UNIT, against, ours / theirs))
    return rows


def _second(update: Callable[[], object]) -> int:
    """Return the peak of the second update: the optimizer has its moving means since the first."""
    update()
    return peak_bytes(update)
