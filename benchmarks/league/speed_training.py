"""Tokens per second of learning: REINFORCE beside one written with transformers and peft alone, and A2C."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.league.speed_legal import LegalMoves
from benchmarks.league.speed_plain_training import PlainReinforce
from benchmarks.league.speed_player import ANSWER_TOKENS, load_player
from benchmarks.league.speed_prompts import Endless
from benchmarks.league.speed_rows import Row, cpu_seconds, row
from benchmarks.league.speed_size import Size
from kit.league.learners import A2C, LearnerSettings, Reinforce
from kit.league.prompt_templates import COMPACT, QWEN3_ZS
from kit.league.trajectory import Step
from kit.lm.lora import LoraSettings
from kit.lm.transformers_backend import TransformersBackend

GAME = "TicTacToe-v0"
LORA = LoraSettings(rank=16, alpha=16)
UNIT = "tokens/CPU-s"
WORDS = {COMPACT.name: "compact", QWEN3_ZS.name: "in many words"}


def measure(size: Size, model: Path) -> list[Row]:
    """Return tokens of prompts and answers per CPU-second of an update, in few words and in many."""
    return [one for name in (COMPACT.name, QWEN3_ZS.name) for one in _of(size, model, name)]


def _of(size: Size, model: Path, template: str) -> list[Row]:
    count, mini = sized(size, template)
    episodes = played(model, template, count)
    steps = [step for episode in episodes for step in episode]
    plain = PlainReinforce(model, LORA, mini, ANSWER_TOKENS[template])
    reinforce, a2c = (learner(model, kind, template, mini) for kind in (Reinforce, A2C))
    works: list[Callable[[], object]] = [
        lambda: reinforce.update(steps),
        lambda: plain.update(steps),
        lambda: a2c.update(episodes),
    ]
    tokens = tokens_of(steps)
    ours, theirs, both = (tokens / seconds for seconds in cpu_seconds(works, min(3, size.repeats)))
    name = f"{GAME} {WORDS[template]}"
    return [
        row(f"REINFORCE, {name}", ours, UNIT, f"transformers and peft alone: {theirs:,.0f}", ours / theirs),
        row(f"A2C, {name}", both, UNIT, f"REINFORCE: {ours:,.0f}", both / ours),
    ]


def sized(size: Size, template: str) -> tuple[int, int]:
    """Return steps of an update, and those that pass through the model together."""
    return (size.batch, 64) if template == COMPACT.name else (max(4, size.batch // 8), 8)


def played(model: Path, template: str, steps: int) -> list[list[Step]]:
    """Return whole episodes with so many steps or just more, the last one rewarded.

    Moves are random, tokens those of the model's answers.
    """
    games = Endless(LegalMoves(TransformersBackend(load_player(model))), GAME, template, 16)
    found: list[list[Step]] = []
    while sum(map(len, found)) < steps:
        for record in games.round():
            found += [
                [*one.steps[:-1], replace(one.steps[-1], reward=one.final_reward)]
                for one in record.trajectories
                if one.steps
            ]
    games.pool.close()
    return found


def learner(
    model: Path, kind: type[Reinforce] | type[A2C], template: str, mini: int, *switches: bool
) -> Reinforce | A2C:
    """Return a learner on a model of its own; ``switches`` are those of memory, off without them."""
    lm = load_player(model)
    lm.adapt(LORA)
    activations, layers = switches or (False, False)
    made = kind(
        lm,
        LearnerSettings(
            mini_batch_size=mini,
            max_generation_len=ANSWER_TOKENS[template],
            activation_checkpointing=activations,
            gradient_checkpointing=layers,
        ),
    )
    made.initialize_algorithm()
    return made


def tokens_of(steps: Sequence[Step]) -> int:
    """Return the tokens of prompts and answers."""
    return sum(len(step.prompt_ids) + len(step.token_ids) for step in steps)
