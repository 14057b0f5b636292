"""ActorPool: actors that answer the requests of a round together, each on a device of its own."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import pairwise

from kit.errors import ContextLengthError, UsageError
from kit.league.actor import Actor
from kit.lm.generation import Generation, Request


class ActorPool:
    """Shares requests out, and puts the answers together again in the order in which they were asked.

    Who answers what follows from the requests alone (``shares``), and no actor waits for another's answer: with
    answers that do not depend on the batch, any number of actors gives the same ones. Actors on devices of their own
    answer side by side; those that share one would only be in each other's way, and answer one after another.
    """

    def __init__(self, actors: Sequence[Actor]) -> None:
        if not actors:
            raise UsageError("A pool of games needs at least one actor.")
        self._actors = list(actors)
        self._side_by_side = 1 < len(actors) == len({actor.device for actor in actors})

    def __len__(self) -> int:
        """Return the number of actors."""
        return len(self._actors)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(len(self._actors), thread_name_prefix="kit-actor")

    def answer_each(self, requests: Sequence[Request]) -> list[Generation | ContextLengthError]:
        """Return the answers in the order of the requests, with the error in place of one whose prompt is too long."""
        parts = shares(requests, len(self._actors))
        asked = [[requests[place] for place in part] for part in parts]
        spread = self._threads.map if self._side_by_side else map
        answers: dict[int, Generation | ContextLengthError] = {}
        for part, found in zip(parts, spread(Actor.answer_each, self._actors, asked), strict=True):
            answers.update(zip(part, found, strict=True))
        return [answers[place] for place in range(len(requests))]

    def forget(self, adapter: str) -> None:
        """Have every actor drop an adapter."""
        for actor in self._actors:
            actor.forget(adapter)

    def close(self) -> None:
        """End the threads, and the actors."""
        if "_threads" in self.__dict__:
            self._threads.shutdown()
            del self._threads
        for actor in self._actors:
            actor.close()


def shares(requests: Sequence[Request], actors: int) -> list[list[int]]:
    """Return the places of the requests that each actor answers, in order; as many for each, but for one.

    Those under one adapter and with one fixed prompt stay together where that is possible: they are one batch.
    """
    order = sorted(range(len(requests)), key=lambda place: _kind(requests[place]))
    cuts = [len(order) * number // actors for number in range(actors + 1)]
    return [sorted(order[begin:end]) for begin, end in pairwise(cuts)]


def _kind(request: Request) -> tuple[str, str]:
    return request.adapter or "", request.prompt.fixed
