"""What is legal is read from a game's text where the text tells it in full, and nowhere else."""

import pytest

from kit.league.games.legal_text import told_actions

TOLD = {
    "Current Board:\n\n 0 | 1\n\nAvailable Moves: '[0]', '[1]'": ("0", "1"),
    "Available Moves: [10], [11]": ("10", "11"),
    "Your available actions are: '[check]', '[bet]'": ("check", "bet"),
    "Valid moves: [e2e4], [d2d4]\nand more": ("e2e4", "d2d4"),
    "Available Moves: [A0 B0], [C1 C2]": ("A0 B0", "C1 C2"),
    "Available Moves: [play 3 1], [discard A 0]": ("play 3 1", "discard A 0"),
    "Available Moves: [1]\nAvailable Moves: [2]": ("2",),
    "Your possible actions: [bet X], [fold]": (),
    "Available actions: [<number>]": (),
    "Available actions: up, down": (),
    "Valid moves are given by [row col].": (),
    "Board: [0], [1]": (),
    "": (),
}


@pytest.mark.parametrize("board", TOLD)
def test_legal_actions_are_read(board):
    """The last list in full counts; a form to be filled in is no action."""
    assert told_actions(board) == TOLD[board]
