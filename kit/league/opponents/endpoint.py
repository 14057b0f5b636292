r"""EndpointOpponent: a model behind any OpenAI-compatible chat endpoint, asked anew for every move.

Called ``endpoint:MODEL@BASE_URL``, or by a model's name alone at the default endpoint, as in Unstable Baselines,
whose default opponent is ``google/gemini-2.0-flash-lite-001``. It is told the rules, what its player sees and what is
legal, and puts its action into ``\boxed{}``. An answer without an action is a move, an illegal one; no answer at all
is a GameError. Temperature and seed are sent; whether a server keeps to the seed is its own affair, so games with
such an opponent are not exactly repeatable. A game that is resumed replays the moves that were made and asks nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kit.errors import UsageError
from kit.league.game import Game, View
from kit.league.opponents.chat_answer import answered_action, answered_text
from kit.league.opponents.chat_connection import ChatConnection
from kit.league.opponents.endpoint_address import DEFAULT_BASE_URL, EndpointAddress
from kit.league.opponents.patience import Patience

PREFIX = "endpoint:"
DEFAULT_MODEL = "google/gemini-2.0-flash-lite-001"
SEEDS = 2**31
"""Servers take seeds of 31 bits."""
_NAME = re.compile(rf"{PREFIX}(?P<model>.+?)@(?P<url>https?://.+)", re.IGNORECASE)
HOW = r"""Think as briefly as you can, then give exactly one action.
Your answer ends with the action alone inside \boxed{}, such as \boxed{%s}."""


@dataclass(frozen=True)
class EndpointSettings:
    """How the model is asked.

    Attributes:
        temperature: of its sampling.
        max_tokens: of its answer, thinking included.
        patience: how long a question may take, and how often it is tried.
    """

    temperature: float = 0.6
    max_tokens: int = 1024
    patience: Patience = field(default_factory=Patience)

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature <= 2.0:
            raise UsageError(f"temperature must be between 0 and 2, not {self.temperature}.")
        if self.max_tokens < 1:
            raise UsageError(f"max_tokens must be at least 1, not {self.max_tokens}.")


class EndpointOpponent:
    """A model that is asked over the network. It may be asked by several threads at once."""

    network = True

    def __init__(
        self,
        uid: str,
        settings: EndpointSettings | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Take model and address from ``uid``, and the key from ``environ``.

        Raises:
            UsageError: the name has no such form, the address or the key cannot be used, or the default endpoint's
                key is missing.
        """
        self.uid = uid
        self.settings = settings or EndpointSettings()
        self.model, address = _read(uid)
        key = address.key(os.environ if environ is None else environ)
        if not key and address.base_url == DEFAULT_BASE_URL:
            raise UsageError(f"{self.model!r} at {DEFAULT_BASE_URL} needs a key in {address.key_variable}.")
        self._connection = ChatConnection(address, self.model, key, self.settings.patience)

    def act(self, game: Game, seed: int) -> str:
        """Ask, and return the action; empty where the answer has none.

        Raises:
            GameError: no answer came, or a refusal.
        """
        view = game.view()
        completion = self._connection.ask(self._question(view, seed), seed)
        return answered_action(answered_text(completion, self._connection.name), view.legal)

    def _question(self, view: View, seed: int) -> dict[str, Any]:
        told = [view.state]
        if view.legal and not all(action in view.state for action in view.legal):
            told.append(f"Legal actions: {', '.join(view.legal)}.")
        example = view.legal[0] if view.legal else "action"
        return {
            "model": self.model,
            "messages": [
                {"role": "system", "content": view.rules.strip()},
                {"role": "user", "content": "\n\n".join([*told, HOW % example])},
            ],
            "temperature": self.settings.temperature,
            "max_tokens": self.settings.max_tokens,
            "seed": seed % SEEDS,
        }


def _read(uid: str) -> tuple[str, EndpointAddress]:
    if not uid.lower().startswith(PREFIX):
        return uid, EndpointAddress.read(DEFAULT_BASE_URL)
    found = _NAME.fullmatch(uid)
    if found is None:
        form = f"{PREFIX}MODEL@BASE_URL"
        raise UsageError(f"{uid!r} is no {form}, such as {PREFIX}qwen3@http://localhost:8000/v1.", form)
    return found["model"], EndpointAddress.read(found["url"])
