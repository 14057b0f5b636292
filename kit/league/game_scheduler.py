"""GameScheduler: turns what the samplers draw into games to be played, each from a seed of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kit.errors import UsageError
from kit.league.draws import draw_order
from kit.league.env_specs import EvalEnvSpec, TrainEnvSpec
from kit.league.game_record import GameRecord
from kit.league.game_spec import EVAL, TRAIN, GameSpec, PlayerSpec
from kit.league.model_registry import ModelRegistry
from kit.league.outcome import mean_reward, meetings
from kit.league.samplers.env_samplers import BaseEnvSampler
from kit.league.samplers.model_samplers import BaseModelSampler
from kit.league.seeds import derived_seed

KINDS = (TRAIN, EVAL)


class GameScheduler:
    """Makes games, and knows which are running.

    The seed of a game is derived from the league's seed, its kind and how many of its kind came before. Its last bit is
    its kind: no game of training ever has the seed of one of evaluation. The count is in the state, so a resumed league
    goes on where it was. How many games of evaluation are played changes nothing about those of training.
    """

    def __init__(
        self, seed: int, env_sampler: BaseEnvSampler, model_sampler: BaseModelSampler, registry: ModelRegistry
    ) -> None:
        self.seed, self.registry = seed, registry
        self.env_sampler, self.model_sampler = env_sampler, model_sampler
        for spec in env_sampler.eval_env_specs:
            registry.add_fixed(spec.fixed_opponent)
        self._made = dict.fromkeys(KINDS, 0)
        self._running: dict[int, str] = {}

    def next_train(self) -> GameSpec:
        """Return a game to learn from; its policy is the newest checkpoint, in a seat that the seed draws."""
        seed = self._next_seed(TRAIN)
        spec = self.env_sampler.sample_train(seed)
        others = spec.num_players - spec.num_actors
        opponents = [self.model_sampler.sample_opponent(derived_seed(seed, "seat", n)) for n in range(others)]
        return self._made_of(spec, TRAIN, seed, [self.registry.current] * spec.num_actors + opponents)

    def next_eval(self) -> GameSpec:
        """Return a game to be measured by; nobody learns from it.

        Raises:
            UsageError: there is nothing to be measured by.
        """
        seed = self._next_seed(EVAL)
        spec = self.env_sampler.sample_eval(seed)
        opponents = [spec.fixed_opponent] * (spec.num_players - 1)
        return self._made_of(spec, EVAL, seed, [self.registry.current, *opponents])

    def _next_seed(self, kind: str) -> int:
        return (derived_seed(self.seed, kind, self._made[kind]) & ~1) | KINDS.index(kind)

    def _made_of(self, spec: TrainEnvSpec | EvalEnvSpec, kind: str, seed: int, uids: list[str]) -> GameSpec:
        """Seat the players, the actors first in ``uids``, and count the game."""
        actors = spec.num_actors if isinstance(spec, TrainEnvSpec) else 0
        seats = draw_order(spec.num_players, spec.num_players, seed, "seats")
        players = [
            self._player(pid, uid, spec.prompt_template, learns=place < actors)
            for place, (pid, uid) in enumerate(zip(seats, uids, strict=True))
        ]
        number = sum(self._made.values())
        self._made[kind] += 1
        self._running[number] = kind
        return GameSpec(number, seed, spec.env_id, kind, tuple(sorted(players, key=lambda one: one.pid)))

    def _player(self, pid: int, uid: str, template: str, *, learns: bool) -> PlayerSpec:
        entry = self.registry.entry(uid)
        return PlayerSpec(pid, uid, entry.path, template, learns, entry.iteration)

    def finished(self, record: GameRecord) -> None:
        """Take a game off the running ones; samplers learn from how a game of training came out, if it did not break.

        Raises:
            UsageError: it is not running: never made here, or finished before.
        """
        spec = record.spec
        if self._running.pop(spec.number, None) is None:
            raise UsageError(f"Game {spec.number} is not running: it was never made, or is finished already.")
        reward = mean_reward(record)
        if spec.kind == TRAIN and reward is not None:
            self.env_sampler.update(spec.env_id, reward)
            for _, opponent, score in meetings(record):
                self.model_sampler.update(opponent.uid, score)

    def running(self, kind: str | None = None) -> int:
        """Return how many games are running, of one kind or both."""
        return sum(kind in (None, one) for one in self._running.values())

    def view(self) -> dict[str, Any]:
        """Return what the terminal shows: games made and running by kind, as plain values."""
        return {kind: {"made": self._made[kind], "running": self.running(kind)} for kind in KINDS}

    def state_dict(self) -> dict[str, Any]:
        """Return the counts, the running games and the samplers; the registry keeps itself."""
        return {
            "made": dict(self._made),
            "running": [[number, kind] for number, kind in self._running.items()],
            "env_sampler": self.env_sampler.state_dict(),
            "model_sampler": self.model_sampler.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put them back; the registry's state comes before this one."""
        self._made = {kind: int(state["made"][kind]) for kind in KINDS}
        self._running = {int(number): str(kind) for number, kind in state["running"]}
        self.env_sampler.load_state_dict(state["env_sampler"])
        self.model_sampler.load_state_dict(state["model_sampler"])
