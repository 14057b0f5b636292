"""The rules of tic-tac-toe for those who look ahead are those of the game that is played."""

import pytest

from kit.errors import UsageError
from kit.league.games.registry import make_game
from kit.league.games.tic_tac_toe_rules import (
    FREE,
    best_cells,
    free_cells,
    mark_to_move,
    placed,
    read_board,
    value,
    winner,
)
from tests.league.games.playing import Played, play_on


def every_board(board: str = FREE * 9) -> set[str]:
    """Return all boards that can come up."""
    found, new = {board}, [board]
    while new:
        board = new.pop()
        if not winner(board):
            for at in free_cells(board):
                after = placed(board, at, mark_to_move(board))
                if after not in found:
                    found.add(after)
                    new.append(after)
    return found


def test_all_boards_are_counted():
    """5,478 boards, of which 626 are won by O, 316 by X and 16 drawn, as is known of the game."""
    boards = every_board()
    ended = [winner(board) for board in boards if winner(board) or not free_cells(board)]
    assert len(boards) == 5478
    assert {mark: ended.count(mark) for mark in ("O", "X", "")} == {"O": 626, "X": 316, "": 16}


def test_perfect_play_is_a_draw():
    """From the empty board, where each cell is as good as another; a corner is answered by the centre only."""
    assert value(FREE * 9) == 0
    assert best_cells(FREE * 9) == list(range(9))
    assert best_cells("O" + FREE * 8) == [4]


@pytest.mark.parametrize(
    ("compact", "cells", "worth"),
    [
        ("O O 2 X X 5 6 7 8", [2], 1),
        ("O O 2 3 X 5 6 7 8", [2], 0),
        ("O 1 2 3 X 5 6 7 O", [1, 3, 5, 7], 0),
    ],
)
def test_positions_by_hand(compact, cells, worth):
    """A win is taken; a threat is blocked; against two opposite corners only a side holds the draw."""
    board = read_board(compact)
    assert best_cells(board) == cells
    assert value(board) == worth


def test_the_game_ends_as_the_rules_say():
    """In fifty games by chance, move by move, the same mover, the same free cells, the same end."""
    game = make_game("TicTacToe-v0")
    for seed in range(50):
        game.reset(seed)
        played = Played()
        while not game.over:
            board = read_board(game.view().compact)
            assert mark_to_move(board) == "OX"[game.player]
            assert [str(at) for at in free_cells(board)] == list(game.view().legal)
            play_on(game, played, seed)
            board = placed(board, int(played.actions[-1]), mark_to_move(board))
            assert game.over == (winner(board) != "" or not free_cells(board))
        expected = {"O": (1, -1), "X": (-1, 1), "": (0, 0)}[winner(board)]
        assert game.rewards() == expected


@pytest.mark.parametrize(
    "compact", ["", "0 1 2", "0 1 2 3 4 5 6 7 9", "O O O O O O O O Z", "0 1 2 3 4 5 6 7 8 9"]
)
def test_what_is_no_board_is_refused(compact):
    """Nine cells, each a mark or its own number."""
    with pytest.raises(UsageError, match="no board"):
        read_board(compact)
