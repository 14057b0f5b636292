"""A league whose games, policies and learner are all made for tests, and whose every other part is the real one."""

import json

from kit.errors import DivergenceError
from kit.league.actor import Actor
from kit.league.collector import Collector, Workers
from kit.league.env_specs import EvalEnvSpec, TrainEnvSpec
from kit.league.faults import FaultBound
from kit.league.game_scheduler import GameScheduler
from kit.league.league import League, LeagueParts, LeagueSettings
from kit.league.local import LocalPool
from kit.league.model_registry import ModelRegistry
from kit.league.samplers import LaggedModelSampler, UniformRandomEnvSampler
from kit.league.step_buffer import StepBuffer
from kit.league.tracker import Tracker
from tests.league.made_games import Scripted, settings_in


class Learner:
    """Learns one number: the mean reward so far; ``breaks_at`` an update it finds no number any more."""

    def __init__(self, breaks_at: int = -1) -> None:
        self.weight, self.policy_version, self.breaks_at = 0.0, 0, breaks_at

    def update(self, batch):
        """Take a batch in."""
        if self.policy_version == self.breaks_at:
            raise DivergenceError(f"The loss is nan in games {sorted({step.game for step in batch})}")
        mean = sum(step.reward for step in batch) / len(batch)
        self.weight += 0.1 * (mean + sum(step.logprobs[0] for step in batch))
        self.policy_version += 1
        return {
            "loss": -self.weight,
            "staleness": max(self.policy_version - 1 - one.policy_version for one in batch),
        }

    def save(self, folder) -> None:
        """Write the policy."""
        folder.mkdir(parents=True)
        (folder / "weight.json").write_text(json.dumps(self.weight))

    def state_dict(self):
        """Return the number."""
        return {"weight": self.weight, "policy_version": self.policy_version}

    def load_state_dict(self, state):
        """Put it back."""
        self.weight, self.policy_version = state["weight"], state["policy_version"]


def scripted_league(
    root,
    *,
    train=None,
    evaluation=None,
    workers=None,
    batch_size=24,
    learner=None,
    bound=None,
    eval_every=2,
    capacity=None,
    backend=None,
    pool=None,
):
    """Return a league of Countdown: mirror games, games against earlier policies, evaluation against two opponents."""
    train = train or [TrainEnvSpec("Countdown", 2, 2, "compact"), TrainEnvSpec("Countdown", 2, 1, "compact")]
    evaluation = evaluation or [
        EvalEnvSpec("Countdown", 2, "compact", fixed_opponent=uid) for uid in ("low", "far")
    ]
    registry, tracker, learner = ModelRegistry(), Tracker(), learner or Learner()
    registry.add_checkpoint("base", None, 0)
    sampler = LaggedModelSampler(registry, (1, 2))
    scheduler = GameScheduler(7, UniformRandomEnvSampler(train, evaluation), sampler, registry)
    buffer = StepBuffer(capacity or 2 * batch_size, seed=3)
    pool = pool or LocalPool([Actor(backend or Scripted())], settings_in(root))
    collector = Collector(scheduler, buffer, registry, tracker, pool, bound or FaultBound())
    parts = LeagueParts(scheduler, collector, buffer, learner, registry, tracker, learner.save)
    settings = LeagueSettings(batch_size, workers or Workers(12), eval_every, 10 if eval_every else 0, 4)
    return League(parts, settings, root)
