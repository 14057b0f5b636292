"""How many stones a path still needs, counted by hand."""

import math

import pytest

from kit.league.opponents.tak_paths import free_cells, placed, stones_needed

EMPTY = tuple(str(at) for at in range(16))


def board(**stones: list[int]) -> tuple[str, ...]:
    """Return a 4×4 board with O's and X's stones."""
    cells = EMPTY
    for mark, places in stones.items():
        for at in places:
            cells = placed(cells, at, mark)
    return cells


@pytest.mark.parametrize(
    ("cells", "needs"),
    [
        (EMPTY, (4, 4)),
        (board(O=[5]), (3, 4)),
        (board(O=[0, 1, 2]), (1, 4)),
        (board(O=[0, 1, 2, 3]), (0, 4)),
        (board(O=[1, 5, 9, 13]), (0, 4)),
        (board(O=[0, 1, 2], X=[3]), (2, 3)),
        (board(O=[0, 5, 10, 15]), (3, math.inf)),
    ],
)
def test_stones_are_counted(cells, needs):
    """Along either axis, around what is in the way, never across a corner."""
    assert (stones_needed(cells, "O"), stones_needed(cells, "X")) == needs


def test_free_cells_are_those_with_their_number():
    """Stones are not among them."""
    assert free_cells(board(O=[0], X=[15])) == list(range(1, 15))
