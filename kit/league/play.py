"""A game in play: whoever's move it is answers, until it is over or breaks; it is saved by its moves and replayed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from kit.errors import GameError, IntegrityError, KitError, UsageError
from kit.league.action_parser import parse_action
from kit.league.game import Game, Verdict
from kit.league.game_record import GameRecord, Move
from kit.league.game_spec import GameSpec, PlayerSpec
from kit.league.play_settings import PlaySettings
from kit.league.saved_play import plain_move, plain_spec, plain_step, read_move, read_spec, read_step
from kit.league.seeds import derived_seed
from kit.league.trajectory import Step, Trajectory
from kit.lm.generation import Generation, Prompt, Request, Sampling

T = TypeVar("T")
FIXED = -1
"""The policy version of players that are no policies of the league."""


class GameInPlay:
    """One game. Policies are asked from outside, by ``pending`` and ``take``; opponents by ``ask`` and ``answered``.

    Whatever its environment throws, and whatever keeps an opponent from answering, breaks the game, which is then over
    with a fault in its record. Other errors of the kit (a missing key, a missing library) surface.
    """

    def __init__(self, spec: GameSpec, settings: PlaySettings) -> None:
        self.spec = spec
        self.fault = ""
        self._settings = settings
        self._moves: list[Move] = []
        self._steps: dict[int, list[Step]] = {one.pid: [] for one in spec.players if one.learns}
        self._prompt: Prompt | None = None
        self._opponents = {
            one.pid: settings.make_opponent(one.uid) for one in spec.players if one.policy_version == FIXED
        }
        self._ended, self._mover = False, 0
        begun = self._tried(spec.env_id, self._begun)
        if begun is not None:  # else it is over, and nobody looks
            self._game = begun

    @property
    def over(self) -> bool:
        """Whether it has ended or broken."""
        return bool(self.fault) or self._ended

    @property
    def mover(self) -> PlayerSpec:
        """Who moves next; only while it is not over."""
        return self.spec.players[self._mover]

    @property
    def turn(self) -> int:
        """Moves made so far, everybody's."""
        return len(self._moves)

    @property
    def adapters(self) -> set[str]:
        """Names of the adapters that play in it."""
        return {one.adapter for one in self.spec.players if one.adapter is not None}

    # Policies

    def pending(self) -> Request | None:
        """Return what the policy whose move it is has to answer; None where an opponent moves, or nobody."""
        if self.over or self.mover.pid in self._opponents:
            return None
        mover, settings = self.mover, self._settings
        template = settings.template(mover.template)
        if self._prompt is None:
            self._prompt = self._tried(self.spec.env_id, lambda: template.prompt(self._game.view()))
        if self._prompt is None:
            return None
        sampling = Sampling(settings.temperature, settings.max_tokens, tuple(template.stop))
        adapter = None if mover.adapter is None else str(settings.folder / mover.adapter)
        return Request(self._prompt, derived_seed(self.spec.seed, "answer", self.turn), sampling, adapter)

    def take(self, generation: Generation) -> None:
        """Make the move that a policy answered; a step is kept where it learns."""
        mover, prompt, turn = self.mover, self._prompt, self.turn
        if prompt is None:
            raise UsageError(f"Game {self.spec.number} has asked nothing: pending() comes before take().")
        action, format_ok = parse_action(generation.text, self._settings.template(mover.template))
        verdict = self._make(mover, generation.text, action, format_ok)
        if verdict is None or not mover.learns:
            return
        self._steps[mover.pid].append(
            Step(
                game=self.spec.number,
                env_id=self.spec.env_id,
                pid=mover.pid,
                uid=mover.uid,
                turn=turn,
                prompt=prompt.text,
                prompt_ids=generation.prompt_ids,
                token_ids=generation.token_ids,
                logprobs=generation.logprobs,
                temperature=self._settings.temperature,
                text=generation.text,
                action=action,
                format_ok=format_ok,
                legal=verdict.legal,
                reward=0.0,
                policy_version=mover.policy_version,
            )
        )

    # Opponents

    @property
    def opponent_moves(self) -> bool:
        """Whether an opponent is next."""
        return not self.over and self.mover.pid in self._opponents

    @property
    def waits_for_network(self) -> bool:
        """Whether the opponent that is next answers over a network, so that others need not wait for it."""
        return self.opponent_moves and self._opponents[self.mover.pid].network

    def look(self) -> None:
        """Have the game make its view, which it keeps: from here on asking somebody runs none of the game's code."""
        self._tried(self.spec.env_id, self._game.view)

    def ask(self) -> str | None:
        """Return the opponent's action, None where it gave none; the game is not touched but for a fault."""
        if self.fault:
            return None
        uid, opponent = self.mover.uid, self._opponents[self.mover.pid]
        seed = derived_seed(self.spec.seed, "opponent", self.turn)
        return self._tried(f"Opponent {uid!r}", lambda: _action(uid, opponent.act(self._game, seed)))

    def answered(self, action: str | None) -> None:
        """Make the move that ``ask`` returned."""
        if action is not None and not self.fault:
            self._make(self.mover, action, action, True)

    def break_off(self, reason: str) -> None:
        """End it with a fault that came from outside: a prompt that is longer than the context."""
        self.fault = reason

    # What comes out

    def record(self) -> GameRecord:
        """Return what was played; a broken game has no trajectories, for nothing can be learnt from it."""
        rewards = None if self.fault else self._tried(self.spec.env_id, self._rewards)
        if rewards is None:
            return GameRecord(self.spec, (), (), tuple(self._moves), self.fault)
        trajectories = tuple(self._trajectory(pid, rewards[pid]) for pid in sorted(self._steps))
        return GameRecord(self.spec, trajectories, rewards, tuple(self._moves))

    def _trajectory(self, pid: int, reward: float) -> Trajectory:
        uid = self.spec.players[pid].uid
        return Trajectory(self.spec.number, self.spec.env_id, pid, uid, tuple(self._steps[pid]), reward)

    def _make(self, mover: PlayerSpec, text: str, action: str, format_ok: bool) -> Verdict | None:
        """Make a move and note it; None where the game broke over it."""
        verdict = self._tried(self.spec.env_id, lambda: self._stepped(action))
        self._prompt = None
        if verdict is not None:
            self._moves.append(Move(mover.pid, text, action, format_ok, verdict.legal))
            if not self._ended and self.turn >= self._settings.most_moves:
                self.fault = f"{self.spec.env_id} was not over after {self.turn} moves."
        return verdict

    def _begun(self) -> Game:
        game = self._settings.make_game(self.spec.env_id, len(self.spec.players))
        try:
            game.reset(derived_seed(self.spec.seed, "game"))
        except UsageError as error:  # of this one: build() has begun one of the kind
            raise GameError(str(error)) from error
        self._look_at(game)
        return game

    def _stepped(self, action: str) -> Verdict:
        verdict = self._game.step(action)
        self._look_at(self._game)
        return verdict

    def _look_at(self, game: Game) -> None:
        """Note whether it is over, and who moves; asking it runs code of its own."""
        over, player, players = bool(game.over), game.player, len(self.spec.players)
        if not (over or player in range(players)):
            raise GameError(f"{self.spec.env_id} wants player {player!r} to move, and has {players}.")
        self._ended, self._mover = over, player

    def _rewards(self) -> tuple[float, ...]:
        rewards = tuple(float(reward) for reward in self._game.rewards())
        if len(rewards) != len(self.spec.players) or not all(map(math.isfinite, rewards)):
            raise GameError(f"{self.spec.env_id} is over, and these are its rewards: {rewards}.")
        return rewards

    def _tried(self, what: str, call: Callable[[], T]) -> T | None:
        """Return what ``call`` does; None, with a fault, where that breaks the game."""
        try:
            with _as_game_error(what):
                return call()
        except GameError as error:
            self.fault = str(error)
            return None

    # Saved and replayed

    def state_dict(self) -> dict[str, Any]:
        """Return what it is replayed from: its spec, the moves so far, the steps of those that learn."""
        return {
            "spec": plain_spec(self.spec),
            "moves": [plain_move(move) for move in self._moves],
            "steps": [plain_step(step) for steps in self._steps.values() for step in steps],
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any], settings: PlaySettings) -> GameInPlay:
        """Play a saved game again, without asking anybody, up to where it was.

        Raises:
            IntegrityError: it does not come out as it was: the game, or a template, is another one now.
        """
        play = cls(read_spec(state["spec"]), settings)
        steps = {step.turn: step for step in map(read_step, state["steps"])}
        for turn, move in enumerate(map(read_move, state["moves"])):
            play._repeat(move, steps.get(turn))
        return play

    def _repeat(self, move: Move, step: Step | None) -> None:
        if self.over or self.mover.pid != move.pid:
            raise self._changed(f"move {self.turn} is not player {move.pid}'s any more")
        request = self.pending()
        if step is not None and (request is None or request.prompt.text != step.prompt):
            raise self._changed(f"the prompt of move {self.turn} is another one")
        verdict = self._make(self.mover, move.text, move.action, move.format_ok)
        if verdict is None or verdict.legal != move.legal:
            raise self._changed(f"{move.action!r} is judged differently at move {self.turn - 1}")
        if step is not None:
            self._steps[move.pid].append(step)

    def _changed(self, what: str) -> IntegrityError:
        number = self.spec.number
        return IntegrityError(
            f"Game {number} of {self.spec.env_id} cannot be continued: {what}. {self.fault}".strip(),
            [str(number)],
        )


def _action(uid: str, action: object) -> str:
    """Return an opponent's action; an empty one is a move as well, but it has to be one."""
    if not isinstance(action, str):
        raise GameError(f"Opponent {uid!r} gave {action!r}, which is no action.")
    return action


@contextmanager
def _as_game_error(what: str) -> Iterator[None]:
    """Turn what code from elsewhere throws into a GameError; the kit's own errors are what they are."""
    try:
        yield
    except KitError:
        raise
    except Exception as error:  # environments and opponents are anybody's code, and throw what they like
        raise GameError(f"{what} threw {type(error).__name__}: {error}") from error
