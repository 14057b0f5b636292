"""Random legal moves, read from the prompts: with them every game takes its course, whatever a model would answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from kit.league.draws import draw_one
from kit.league.games.kuhn_rules import LEGAL
from kit.league.games.legal_text import told_actions
from kit.lm.backend import Backend
from kit.lm.generation import Generation, Request


class LegalMoves:
    """A backend that lets another one answer, in its own time, and puts a legal action in place of its words.

    Without another one it answers in no time, as a function of prompt and seed.
    """

    def __init__(self, backend: Backend | None = None) -> None:
        self._backend = backend

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Answer."""
        if self._backend is None:
            answers = [Generation((1,), (2, 3), (-1.0, 0.0), "", True)] * len(requests)
        else:
            answers = self._backend.generate(requests)
        return [replace(one, text=_text(request)) for one, request in zip(answers, requests, strict=True)]

    def forget(self, adapter: str) -> None:
        """Drop what is kept of an adapter."""
        if self._backend is not None:
            self._backend.forget(adapter)


def _text(request: Request) -> str:
    action = draw_one(legal_actions(request.prompt.rest), request.seed, "legal")
    return f"\\boxed{{{action}}}" if "<|im_start|>assistant" in request.prompt.rest else action


def legal_actions(shown: str) -> Sequence[str]:
    """Return what may be done where this is shown: the rest of a prompt of a game that is measured here."""
    hand = re.search(r"[JQK]\|([a-z ]*)", shown)
    listed = re.search(r"Legal actions: ([a-z, ]+)\.", shown)
    if hand:
        return LEGAL[tuple(hand[1].split())]
    return listed[1].split(", ") if listed else told_actions(shown) or re.findall(r"\d+", shown)
