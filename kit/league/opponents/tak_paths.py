"""Paths on a board of SimpleTak: how many stones a side still needs to connect two opposite edges.

Cells are those of the compact form, row by row: ``O``, ``X``, or the number of a free one.
"""

from __future__ import annotations

import math
from collections import deque
from functools import cache, lru_cache

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
    """Search breadth first; a stone of one's own costs nothing and goes to the front of the queue, a free cell 1."""
    costs = [0 if cell == mark else 1 if cell == str(at) else None for at, cell in enumerate(cells)]
    neighbours = _neighbours(math.isqrt(len(cells)))
    queue = deque(sorted((cost, at) for at in starts if (cost := costs[at]) is not None))
    reached: set[int] = set()
    while queue:
        stones, at = queue.popleft()
        if at in ends:
            return stones
        if at not in reached:
            reached.add(at)
            for near in neighbours[at]:
                cost = costs[near]
                if cost == 0:
                    queue.appendleft((stones, near))
                elif cost == 1:
                    queue.append((stones + 1, near))
    return math.inf


@cache
def _neighbours(n: int) -> tuple[tuple[int, ...], ...]:
    """Return the cells beside each cell of a board of n × n."""
    found = []
    for at in range(n * n):
        row, column = divmod(at, n)
        beside = ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
        found.append(tuple(r * n + c for r, c in beside if 0 <= r < n and 0 <= c < n))
    return tuple(found)
