"""What a policy of tic-tac-toe is worth, exactly: its moves on all 4,520 boards, and what they come to against others.

No game is drawn at random here: every line of play counts with its probability. An answer that is no free cell loses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import chain

import torch

from benchmarks.league.long_template import MARKS
from kit.league.game import View
from kit.league.games.registry import make_game
from kit.league.games.tic_tac_toe_rules import (
    CELLS,
    FREE,
    best_cells,
    free_cells,
    mark_to_move,
    placed,
    winner,
)
from kit.league.games.tic_tac_toe_rules import MARKS as SIGNS
from kit.lm.devices import one_thread
from kit.lm.head_positions import logits_at
from kit.lm.language_model import LanguageModel
from kit.lm.padding import padded

GAME = "TicTacToe-v0"
ROWS = 512
"""Boards that are scored together."""
Moves = Mapping[str, list[float]]
"""By board, the probability of each of the nine cells; what is left to 1 goes to other answers."""
Worth = tuple[float, float, float]
"""Probabilities that the policy wins, draws and loses."""
Opponent = Callable[[str], list[int]]
"""From a board to the cells that an opponent takes, each as likely."""

OPPONENTS: Mapping[str, Opponent] = {"random": free_cells, "minimax": best_cells}


@cache
def boards() -> tuple[str, ...]:
    """Return every board on which somebody is to move, of all games there are."""
    found: dict[str, None] = {}

    def look(board: str) -> None:
        if board in found or winner(board) or FREE not in board:
            return
        found[board] = None
        for at in free_cells(board):
            look(placed(board, at, mark_to_move(board)))

    look(FREE * CELLS)
    return tuple(found)


@cache
def rules() -> tuple[str, str]:
    """Return what each player is told of the rules."""
    game = make_game(GAME)
    game.reset(0)
    first = game.view().rules
    game.step("0")
    return first, game.view().rules


def view_of(board: str) -> View:
    """Return what the player to move sees, as far as templates of compact forms show it."""
    player = SIGNS.index(mark_to_move(board))
    compact = " ".join(str(at) if cell == FREE else cell for at, cell in enumerate(board))
    return View(player, rules()[player], "", compact, tuple(map(str, free_cells(board))))


def moves_of(lm: LanguageModel, *, adapter: str | None) -> Moves:
    """Return how a model moves that answers with one token, drawn at temperature 1."""
    prompts = [[*chain(*lm.prompt_tokens(MARKS.prompt(view_of(board))))] for board in boards()]
    cells = [token for cell in range(CELLS) for token in lm.tokens(str(cell))]
    found = []
    with torch.inference_mode(), one_thread(lm.device), lm.using(adapter):
        for start in range(0, len(prompts), ROWS):
            found += _chances(lm, prompts[start : start + ROWS], cells)
    return dict(zip(boards(), found, strict=True))


def _chances(lm: LanguageModel, prompts: list[list[int]], cells: list[int]) -> list[list[float]]:
    ends = torch.tensor([len(prompt) - 1 for prompt in prompts])
    logits = logits_at(lm.module, padded(lm, prompts), torch.arange(len(prompts)), ends).double()
    found: list[list[float]] = torch.softmax(logits, dim=1)[:, cells].tolist()
    return found


def greedy(moves: Moves) -> Moves:
    """Return the same where the likeliest cell is always taken."""
    return {
        board: [float(at == chances.index(max(chances))) for at in range(CELLS)]
        for board, chances in moves.items()
    }


def illegal_mass(moves: Moves) -> float:
    """Return the mean over all boards of the probability of an answer that is no free cell."""
    legal = (sum(chances[at] for at in free_cells(board)) for board, chances in moves.items())
    return 1.0 - sum(legal) / len(moves)


def worth(moves: Moves, opponent: Opponent, mark: str) -> Worth:
    """Return how likely a policy wins, draws and loses that plays ``mark``, against an opponent."""

    @cache
    def from_here(board: str) -> Worth:
        if winner(board):
            return (1.0, 0.0, 0.0) if winner(board) == mark else (0.0, 0.0, 1.0)
        if FREE not in board:
            return (0.0, 1.0, 0.0)
        mover, free = mark_to_move(board), free_cells(board)
        if mover == mark:
            chances = {at: moves[board][at] for at in free}
        else:
            chances = {at: 1.0 / len(opponent(board)) for at in opponent(board)}
        lost = max(0.0, 1.0 - sum(chances.values()))
        parts = [(one, from_here(placed(board, at, mover))) for at, one in chances.items() if one > 0.0]
        won, drawn, beaten = (sum(one * part[place] for one, part in parts) for place in range(3))
        return won, drawn, beaten + lost

    return from_here(FREE * CELLS)


def both_sides(moves: Moves, opponent: Opponent) -> Worth:
    """Return the same, half of the games as either player."""
    first, second = (worth(moves, opponent, mark) for mark in SIGNS)
    won, drawn, lost = ((a + b) / 2 for a, b in zip(first, second, strict=True))
    return won, drawn, lost


def figures(lm: LanguageModel, *, adapter: str | None) -> dict[str, float]:
    """Return the score against random and the draws with minimax, drawn at temperature 1 and greedily."""
    found: dict[str, float] = {}
    drawn = moves_of(lm, adapter=adapter)
    for how, moves in (("sampled", drawn), ("greedy", greedy(drawn))):
        against = {name: both_sides(moves, opponent) for name, opponent in OPPONENTS.items()}
        found[f"eval_score_random_{how}"] = score(against["random"])
        found[f"eval_draws_minimax_{how}"] = against["minimax"][1]
        found[f"eval_illegal_mass_{how}"] = illegal_mass(moves)
    return found


def score(result: Iterable[float]) -> float:
    """Return wins and half of the draws."""
    won, drawn, _ = result
    return won + drawn / 2
