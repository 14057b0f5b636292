"""Opponents by name: ``random``, ``scripted``, ``minimax``, ``endpoint:MODEL@BASE_URL``, or a model's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kit.errors import UnknownNameError
from kit.league.opponents.endpoint import DEFAULT_MODEL, PREFIX, EndpointOpponent
from kit.league.opponents.minimax import Minimax
from kit.league.opponents.opponent import Opponent
from kit.league.opponents.random_legal import RandomLegal
from kit.league.opponents.scripted import Scripted

WITHOUT_A_NETWORK: Mapping[str, Callable[[], Opponent]] = {
    "random": RandomLegal,
    "scripted": Scripted,
    "minimax": Minimax,
}


def make_opponent(name: str, environ: Mapping[str, str] | None = None) -> Opponent:
    """Return the opponent of that name; ``environ`` (by default this process's) holds an endpoint's key.

    A name with a slash that is none of the others is a model at the default endpoint, where all have one.

    Raises:
        UnknownNameError: it is none of them.
        UsageError: the endpoint's address or its key cannot be used.
    """
    if name in WITHOUT_A_NETWORK:
        return WITHOUT_A_NETWORK[name]()
    if name.lower().startswith(PREFIX) or "/" in name:
        return EndpointOpponent(name, environ=environ)
    raise UnknownNameError("opponent", name, [*WITHOUT_A_NETWORK, DEFAULT_MODEL, f"{PREFIX}MODEL@BASE_URL"])
