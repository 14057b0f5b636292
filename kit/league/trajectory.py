"""Steps and trajectories: what one player of one game was asked, answered, and got for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One move of a player that learns, exactly as it was sampled.

    Attributes:
        game: number of the game.
        env_id: which game.
        pid: the player's number in it.
        uid: who played.
        turn: of the game, from 0, everybody's moves counted.
        prompt: the text that was sampled from.
        prompt_ids: its tokens; no text is ever tokenised again.
        token_ids: the tokens drawn, the stop token included.
        logprobs: of each, when it was drawn.
        temperature: that they were drawn at.
        text: the answer in words.
        action: what the parser made of it, bare; empty where it found none.
        format_ok: whether the parser found an action in the form that was asked for.
        legal: whether the game took it.
        reward: what the learner learns from, after the step transforms; NaN is never in it.
        policy_version: learner updates behind the weights that produced it.
    """

    game: int
    env_id: str
    pid: int
    uid: str
    turn: int
    prompt: str
    prompt_ids: tuple[int, ...]
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    temperature: float
    text: str
    action: str
    format_ok: bool
    legal: bool
    reward: float
    policy_version: int


@dataclass(frozen=True)
class Trajectory:
    """A player's steps in one game, in order, and its reward at the end, as the game gave it."""

    game: int
    env_id: str
    pid: int
    uid: str
    steps: tuple[Step, ...]
    final_reward: float
