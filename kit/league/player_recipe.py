"""A tiny player: a model made here that knows the form of answers, and plays every legal action alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kit.errors import UsageError
from kit.harness.store import committed_directory
from kit.league.draws import draw_one
from kit.league.env_specs import EvalEnvSpec, TrainEnvSpec
from kit.league.game import View
from kit.league.games.registry import make_game
from kit.league.made_folder import is_made, write_made
from kit.league.prompt_templates import BARE, CUE, PromptTemplate, find_template
from kit.league.seeds import derived_seed
from kit.lm.devices import one_thread
from kit.lm.generation import Prompt
from kit.lm.language_model import LanguageModel
from kit.lm.libraries import no_progress_bar
from kit.lm.tiny import TinySettings, make_tiny
from kit.lm.warm_up import WarmUpSettings, warm_up

MOST_MOVES = 500


@dataclass(frozen=True)
class PlayerRecipe:
    """How a tiny player is made.

    Attributes:
        games: random legal games of each kind that it learns the form from.
        steps: of the warm-up.
        batch: moves in each.
        learning_rate: of the warm-up.
        endings: whether it learns of every position how that game ended, too; see ``random_endings``.
        seed: of games, weights and order.
        shape: of the model.
    """

    games: int = 400
    steps: int = 200
    batch: int = 64
    learning_rate: float = 2e-3
    endings: bool = False
    seed: int = 0
    shape: TinySettings = field(default_factory=TinySettings)

    def __post_init__(self) -> None:
        if self.games < 1:
            raise UsageError(f"games must be at least 1, not {self.games}.")


def random_moves(
    specs: Sequence[TrainEnvSpec | EvalEnvSpec], games: int, seed: int
) -> list[tuple[Prompt, str]]:
    """Return every move of random legal games: what was asked, and the shortest answer that makes the move.

    All legal actions are equally likely: nothing of how to play well is in them.

    Raises:
        UsageError: a game does not tell what is legal.
    """
    return [
        (template.prompt(view), template.answer(action))
        for template, game in _random_games(specs, games, seed)
        for view, action in game.moves
    ]


def random_endings(
    specs: Sequence[TrainEnvSpec | EvalEnvSpec], games: int, seed: int
) -> list[tuple[Prompt, str]]:
    """Return how the same games ended, asked of every position: the last action, and won, drawn or lost (w, d, l).

    What is asked is the prompt with a question mark in place of its cue. All of it is chance, as the games are; but
    who can tell it has to read the whole position, where to copy a legal action takes no more than finding it.

    Raises:
        UsageError: a game does not tell what is legal, or a template's answers are no bare actions.
    """
    found = []
    for template, game in _random_games(specs, games, seed):
        if template.form != BARE:
            raise UsageError(f"{template.name!r} has no bare answers: nobody can be asked how a game ended.")
        ended = game.moves[-1][1]
        for view, _ in game.moves:
            prompt = template.prompt(view)
            reward = game.rewards[view.player]
            result = "d" if reward == 0.0 else "w" if reward > 0.0 else "l"
            found.append((Prompt(prompt.fixed, f"{prompt.rest.removesuffix(CUE)}?"), f"{ended}{result}"))
    return found


@dataclass(frozen=True)
class _RandomGame:
    """Views with the actions that were taken there, and each player's reward."""

    moves: list[tuple[View, str]]
    rewards: tuple[float, ...]


def _random_games(
    specs: Sequence[TrainEnvSpec | EvalEnvSpec], games: int, seed: int
) -> Iterator[tuple[PromptTemplate, _RandomGame]]:
    kinds = dict.fromkeys((spec.env_id, spec.num_players, spec.prompt_template) for spec in specs)
    for env_id, players, name in kinds:
        for number in range(games):
            game = make_game(env_id, players)
            game.reset(derived_seed(seed, env_id, number))
            moves = []
            for move in range(MOST_MOVES):
                if game.over:
                    break
                view = game.view()
                if not view.legal:
                    raise UsageError(f"{env_id} does not tell what is legal: nobody can play it at random.")
                action = draw_one(view.legal, seed, env_id, number, move)
                moves.append((view, action))
                game.step(action)
            yield find_template(name), _RandomGame(moves, game.rewards())


def tiny_player(
    folder: Path, specs: Sequence[TrainEnvSpec | EvalEnvSpec], recipe: PlayerRecipe | None = None
) -> Path:
    """Make a model that plays these games at random, by their rules; return its folder.

    One that was made there by the same recipe is left as it is, one of another recipe replaced. The folder appears
    whole or not at all.

    Raises:
        UsageError: a game does not tell what is legal, a template's stop text is no token of such a model, templates
            stop at different texts, or something is in the folder that was not made here.
        IntegrityError: what was made there is damaged.
    """
    recipe = recipe or PlayerRecipe()
    made = {"recipe": asdict(recipe), "games": [asdict(spec) for spec in specs]}
    wanted = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()
    stop = _stop(specs)
    if is_made(folder, wanted):
        return folder
    examples = random_moves(specs, recipe.games, derived_seed(recipe.seed, "warm-up"))
    if recipe.endings:
        examples += random_endings(specs, recipe.games, derived_seed(recipe.seed, "warm-up"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="tiny-") as raw, committed_directory(folder) as temporary:
        lm = LanguageModel.load(make_tiny(examples, Path(raw) / "model", recipe.shape), device="cpu")
        how = WarmUpSettings(
            steps=recipe.steps,
            batch=recipe.batch,
            learning_rate=recipe.learning_rate,
            seed=derived_seed(recipe.seed, "order"),
            stop=stop,
        )
        with one_thread(lm.device):
            losses = warm_up(lm, examples, how)
        module: Any = lm.module
        with no_progress_bar():
            module.save_pretrained(temporary)
        lm.tokenizer.save_pretrained(temporary)
        write_made(temporary, wanted, {"loss": losses[-1], "moves": len(examples), **made})
    return folder


def _stop(specs: Sequence[TrainEnvSpec | EvalEnvSpec]) -> str:
    """Return what ends an answer in all of these games."""
    stops = {spec.prompt_template: find_template(spec.prompt_template).stop[0] for spec in specs}
    if len(set(stops.values())) != 1:
        told = ", ".join(f"{name} at {stop!r}" for name, stop in sorted(stops.items())) or "there is no game"
        raise UsageError(
            f"A tiny player learns one text that ends its answers; these templates stop: {told}."
        )
    return next(iter(stops.values()))
