"""Specs, moves and steps as plain values, for a checkpoint, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from kit.league.game_record import Move
from kit.league.game_spec import GameSpec, PlayerSpec
from kit.league.trajectory import Step


def plain_spec(spec: GameSpec) -> dict[str, Any]:
    """Return a spec as plain values."""
    return asdict(spec)


def read_spec(data: Mapping[str, Any]) -> GameSpec:
    """Return the spec that ``plain_spec`` was given."""
    return GameSpec(**{**data, "players": tuple(PlayerSpec(**one) for one in data["players"])})


def plain_move(move: Move) -> dict[str, Any]:
    """Return a move as plain values."""
    return asdict(move)


def read_move(data: Mapping[str, Any]) -> Move:
    """Return the move that ``plain_move`` was given."""
    return Move(**data)


def plain_step(step: Step) -> dict[str, Any]:
    """Return a step as plain values."""
    return asdict(step)


def read_step(data: Mapping[str, Any]) -> Step:
    """Return the step that ``plain_step`` was given."""
    sequences = {name: tuple(data[name]) for name in ("prompt_ids", "token_ids", "logprobs")}
    return Step(**{**data, **sequences})
