"""The rules of tic-tac-toe as TextArena plays it, exactly, for those who look ahead: O is player 0 and begins.

A board is nine characters, row by row: ``O``, ``X``, or ``.`` where nobody is.
"""

from __future__ import annotations

from functools import cache

from kit.errors import UsageError

MARKS = "OX"
FREE = "."
CELLS = 9
LINES = (
    (0, 1, 2), (3, 4, 5), (6, 7, 8),
    (0, 3, 6), (1, 4, 7), (2, 5, 8),
    (0, 4, 8), (2, 4, 6),
)  # fmt: skip


def read_board(compact: str) -> str:
    """Return the board of a compact form such as ``0 O 2 3 X 5 6 7 8``.

    Raises:
        UsageError: it is none of tic-tac-toe.
    """
    cells = compact.split()
    legible = len(cells) == CELLS and all(cell in ("O", "X", str(at)) for at, cell in enumerate(cells))
    if not legible:
        raise UsageError(
            f"{compact!r} is no board of tic-tac-toe; it has nine cells, each O, X or its number."
        )
    return "".join(cell if cell in MARKS else FREE for cell in cells)


def mark_to_move(board: str) -> str:
    """Return who is to move: O begins, and they take turns."""
    return MARKS[(CELLS - board.count(FREE)) % 2]


def other_mark(mark: str) -> str:
    """Return the opponent's mark."""
    return MARKS[1 - MARKS.index(mark)]


def free_cells(board: str) -> list[int]:
    """Return the cells that nobody has taken, in order."""
    return [at for at, cell in enumerate(board) if cell == FREE]


def placed(board: str, at: int, mark: str) -> str:
    """Return the board with ``mark`` in cell ``at``."""
    return board[:at] + mark + board[at + 1 :]


def winner(board: str) -> str:
    """Return the mark that has three in a row, or nothing."""
    for a, b, c in LINES:
        if board[a] != FREE and board[a] == board[b] == board[c]:
            return board[a]
    return ""


@cache
def value(board: str) -> int:
    """Return what the player to move gets where both play perfectly: 1, 0 or −1; 5,478 boards can come up."""
    if winner(board):
        return -1  # the one who moved last has won
    return max((_value_of(board, at) for at in free_cells(board)), default=0)


def best_cells(board: str) -> list[int]:
    """Return every cell that is as good as any other where both play perfectly."""
    best = value(board)
    return [at for at in free_cells(board) if _value_of(board, at) == best]


def _value_of(board: str, at: int) -> int:
    return -value(placed(board, at, mark_to_move(board)))
