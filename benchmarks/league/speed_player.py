"""The tiny model that speed is measured with: it answers in every form that is asked for, and knows the rules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kit.league.env_specs import TrainEnvSpec
from kit.league.player_recipe import random_moves
from kit.league.prompt_templates import BOXED, COMPACT, QWEN3_ZS, PromptTemplate, register_template
from kit.lm.devices import one_thread
from kit.lm.language_model import LanguageModel
from kit.lm.libraries import no_progress_bar
from kit.lm.tiny import make_tiny
from kit.lm.warm_up import WarmUpSettings, warm_up

GAMES = ("Kuhn-v0", "TicTacToe-v0", "SimpleTak-v0", "KuhnPoker-v0")
VERBOSE_GAMES = GAMES[:2]
"""Those that are also played in many words."""
RULES_COMPACT = PromptTemplate(
    "rules-compact",
    QWEN3_ZS.fixed,
    lambda view: f"{view.compact}<|im_end|>\n<|im_start|>assistant\n",
    QWEN3_ZS.stop,
    BOXED,
)
"""The rules in full, which are the same in every prompt of a role, and the state in short."""
ANSWER_TOKENS = {COMPACT.name: 8, QWEN3_ZS.name: 16, RULES_COMPACT.name: 16}
"""Most tokens of an answer."""
register_template(RULES_COMPACT)


def make_player(folder: Path, cycles: int) -> Path:
    """Make the model, warmed up on random games in each form in turn, ``cycles`` times; return its folder."""
    wordy = [name for name in ANSWER_TOKENS if name != COMPACT.name]
    short = random_moves([_spec(env_id, COMPACT.name) for env_id in GAMES], 20, 0)
    long = random_moves([_spec(env_id, name) for env_id in VERBOSE_GAMES for name in wordy], 10, 0)
    lm = LanguageModel.load(make_tiny([*short, *long], folder / "raw"), device="cpu")
    with one_thread(lm.device):
        for cycle in range(cycles):
            for examples, batch in ((long, 8), (short, 32)):
                warm_up(lm, examples, WarmUpSettings(steps=15, batch=batch, learning_rate=2e-3, seed=cycle))
    model = folder / "player"
    with no_progress_bar():
        lm.module.save_pretrained(model)  # type: ignore[operator]
    lm.tokenizer.save_pretrained(model)
    return model


def load_player(folder: Path) -> LanguageModel:
    """Return the model in ``folder``."""
    return LanguageModel.load(folder, device="cpu")


def _spec(env_id: str, template: str) -> TrainEnvSpec:
    return TrainEnvSpec(env_id, 2, 2, template)


def specs_of(env_ids: Sequence[str], template: str) -> list[TrainEnvSpec]:
    """Return these games, of the policy against itself."""
    return [_spec(env_id, template) for env_id in env_ids]
