"""PrivateRandom: the global random generators, lent to code that draws from them, and nobody notices.

TextArena seeds and draws from Python's global generator (one of its games from NumPy's), so that two games in one
process would change each other's cards, and every one of them what the rest of the process draws.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from kit.league.seeds import derived_seed

_LENT = threading.RLock()
"""Of two threads only one can have the generators; a thread that draws from them without it is not protected."""


class PrivateRandom:
    """The states of both global generators as one game has left them; NumPy's, which is slow, only with ``numpy``."""

    def __init__(self, seed: int, *, numpy: bool = True) -> None:
        self._python = random.Random(derived_seed(seed, "python")).getstate()
        self._numpy: Any = None
        if numpy:
            self._numpy = np.random.RandomState(derived_seed(seed, "numpy") % 2**32).get_state()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Put the game's states into the global generators; take them out again and put back what was there."""
        with _LENT, self._numpy_lent():
            before = random.getstate()
            random.setstate(self._python)
            try:
                yield
            finally:
                self._python = random.getstate()
                random.setstate(before)

    @contextmanager
    def _numpy_lent(self) -> Iterator[None]:
        if self._numpy is None:
            yield
            return
        before = np.random.get_state()
        np.random.set_state(self._numpy)
        try:
            yield
        finally:
            self._numpy = np.random.get_state()
            np.random.set_state(before)
