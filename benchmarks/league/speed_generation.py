"""Moves per second: the kit's generation beside plain batched ``generate``, on the same model and prompts."""

from __future__ import annotations

from pathlib import Path

from benchmarks.league.speed_generate import PlainGenerate
from benchmarks.league.speed_player import RULES_COMPACT, VERBOSE_GAMES, load_player
from benchmarks.league.speed_prompts import Rounds, count, recorded, without_doubles
from benchmarks.league.speed_rows import Row, cpu_seconds, row
from benchmarks.league.speed_size import Size
from kit.league.prompt_templates import COMPACT, QWEN3_ZS
from kit.lm.backend import Backend
from kit.lm.language_model import LanguageModel
from kit.lm.transformers_backend import TransformersBackend

ASKED, ASKED_COMPACT = 2.0, 5.0
"""Times the moves of plain ``generate``: in many words, and in few."""
UNIT = "moves/CPU-s"


def measure(size: Size, model: Path) -> list[Row]:
    """Return moves per CPU-second of each game, in each form, and without the prompts that are asked twice."""
    lm, rows = load_player(model), []
    for env_id in VERBOSE_GAMES:
        rounds = {
            name: recorded(env_id, name, in_flight=size.in_flight, rounds=size.rounds)
            for name in (QWEN3_ZS.name, RULES_COMPACT.name, COMPACT.name)
        }
        wordy = rounds[QWEN3_ZS.name]
        verbose, plain = _both(lm, wordy, size)
        alone, plain_alone = _both(lm, without_doubles(wordy), size)
        name = f"{env_id} in many words"
        rows += [
            _row(name, verbose, plain, f"generate, {_told(wordy)}", ASKED),
            _row(f"{name}, no prompt twice", alone, plain_alone, "generate", None),
        ]
        for form, words in ((RULES_COMPACT, "rules, short state"), (COMPACT, "compact")):
            ours, theirs = _both(lm, rounds[form.name], size)
            told = _told(rounds[form.name])
            bar = ASKED_COMPACT if form is COMPACT else None
            rows.append(_row(f"{env_id}, {words}", ours, theirs, f"generate, {told}", bar))
            if form is COMPACT:
                rows.append(_row(f"{env_id}, compact", ours, plain, "generate in many words", None))
    return rows


def _both(lm: LanguageModel, rounds: Rounds, size: Size) -> tuple[float, float]:
    """Return moves per CPU-second of the kit, which begins with an empty cache each time, and of ``generate``."""

    def answered(backend: Backend) -> None:
        for asked in rounds:
            backend.generate(asked)

    works = [lambda: answered(TransformersBackend(lm)), lambda: answered(PlainGenerate(lm))]
    ours, theirs = cpu_seconds(works, min(3, size.repeats), before=0)
    return count(rounds) / ours, count(rounds) / theirs


def _told(rounds: Rounds) -> str:
    return f"same prompts, {count(without_doubles(rounds)) / count(rounds):.0%} distinct"


def _row(name: str, ours: float, theirs: float, against: str, asked: float | None) -> Row:
    ratio = ours / theirs
    told = f"{against}: {theirs:,.0f}" + (f", ≥ {asked:g}× asked" if asked else "")
    return row(name, ours, UNIT, told, ratio, met=None if asked is None else ratio >= asked)
