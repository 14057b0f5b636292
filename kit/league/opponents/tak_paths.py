"""Paths on a board of SimpleTak: how many stones a side still needs to connect two opposite edges.

Cells are those of the compact form, row by row: ``O``, ``X``, or the number of a free one.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from functools import lru_cache

Cells = tuple[str, ...]


@lru_cache(maxsize=50_000)
def stones_needed(cells: Cells, mark: str) -> float:
    """Return the fewest stones that complete a path for ``mark``: 0 where one is complete, inf where none can be."""
    n = math.isqrt(len(cells))
    first, last = range(n), range(n * (n - 1), n * n)
    left, right = range(0, n * n, n), range(n - 1, n * n, n)
    return min(_shortest(cells, mark, first, last), _shortest(cells, mark, left, right))


def placed(cells: Cells, at: int, mark: str) -> Cells:
    """Return the cells with a stone of ``mark`` at ``at``."""
    return (*cells[:at], mark, *cells[at + 1 :])


def free_cells(cells: Cells) -> list[int]:
    """Return the free cells, in order."""
    return [at for at, cell in enumerate(cells) if cell == str(at)]


def _shortest(cells: Cells, mark: str, starts: range, ends: range) -> float:
    """Dijkstra over cells: entering one costs 0 with a stone of one's own on it, 1 where it is free."""
    queue = [(_cost(cells, at, mark), at) for at in starts]
    heapq.heapify(queue)
    reached: set[int] = set()
    while queue:
        cost, at = heapq.heappop(queue)
        if math.isinf(cost) or at in ends:
            return cost
        if at not in reached:
            reached.add(at)
            for near in _neighbours(at, math.isqrt(len(cells))):
                heapq.heappush(queue, (cost + _cost(cells, near, mark), near))
    return math.inf


def _cost(cells: Cells, at: int, mark: str) -> float:
    if cells[at] == mark:
        return 0.0
    return 1.0 if cells[at] == str(at) else math.inf


def _neighbours(at: int, n: int) -> Iterator[int]:
    row, column = divmod(at, n)
    if row > 0:
        yield at - n
    if row < n - 1:
        yield at + n
    if column > 0:
        yield at - 1
    if column < n - 1:
        yield at + 1
