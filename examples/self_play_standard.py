"""Self-play with every part in hand: samplers, registry, scheduler, buffer, collector and learner, put together here.

python examples/self_play_standard.py           # again: it goes on where it stopped
"""

import argparse
from functools import partial
from pathlib import Path

import kit.league as league
import kit.league.reward_transforms as retra
from kit import TrainingSession
from kit.league.actor import Actor
from kit.league.games.registry import make_game
from kit.league.local import LocalPool
from kit.league.opponents.registry import make_opponent
from kit.league.play_settings import PlaySettings
from kit.league.prompt_templates import find_template
from kit.league.samplers import BaseModelSampler, UniformRandomEnvSampler
from kit.lm.language_model import LanguageModel
from kit.lm.lora import LoraSettings
from kit.lm.transformers_backend import TransformersBackend

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--out", default="runs/self_play_standard")
parser.add_argument("--steps", type=int, default=8)
chosen = parser.parse_args()

COLLECTION_WORKERS = 32
EVALUATION_WORKERS = 4
ITERATIONS = chosen.steps
BATCH_SIZE = 128
MINI_BATCH_SIZE = 64
BUFFER_SIZE = 128 * 2
LR = 1e-3
GRAD_CLIP = 0.2
MAX_TRAIN_SEQ_LEN = None
MAX_GENERATION_LENGTH = 8
TEMPERATURE = 0.6

lora_config = LoraSettings(rank=16, alpha=32, dropout=0.0)

# environments
env_sampler = UniformRandomEnvSampler(
    train_env_specs=[  # if num_players == num_actors, it's mirror self-play and no opponents will be sampled
        league.TrainEnvSpec("SimpleTak-v0-train", num_players=2, num_actors=2, prompt_template="compact"),
    ],
    eval_env_specs=[
        league.EvalEnvSpec("SimpleTak-v0-train", 2, "compact", fixed_opponent="random"),
        league.EvalEnvSpec("KuhnPoker-v0-train", 2, "compact", fixed_opponent="random"),
    ],
)

# model: a tiny one is made here, which knows the rules and nothing else
specs = [*env_sampler.train_env_specs, *env_sampler.eval_env_specs]
recipe = league.PlayerRecipe(games=100, steps=100)
lm = LanguageModel.load(league.tiny_player(Path(f"{chosen.out}-model"), specs, recipe))
lm.adapt(lora_config, "policy", seed=1)

# tracker
tracker = league.Tracker()

# model registry
model_registry = league.ModelRegistry()
model_registry.add_checkpoint(uid="base", path=None, iteration=0)
model_registry.add_fixed(name="random")

# model sampler and game scheduler
model_sampler = BaseModelSampler(model_registry)
game_scheduler = league.GameScheduler(1, env_sampler, model_sampler, model_registry)

# data buffer
step_buffer = league.StepBuffer(
    max_buffer_size=BUFFER_SIZE,
    final_reward_transformation=retra.ComposeFinalRewardTransforms([retra.RoleAdvantageByEnvFormatter()]),
    step_reward_transformation=retra.ComposeStepRewardTransforms(
        [retra.RewardForFormat(1.5), retra.PenaltyForInvalidMove(1.0, -1.0)]
    ),
    sampling_reward_transformation=retra.ComposeSamplingRewardTransforms([retra.NormalizeRewardsByEnv(True)]),
)

# learner
settings = league.LearnerSettings(
    batch_size=BATCH_SIZE,
    mini_batch_size=MINI_BATCH_SIZE,
    learning_rate=LR,
    gradient_clipping=GRAD_CLIP,
    activation_checkpointing=True,
    gradient_checkpointing=True,
)
learner = league.Reinforce(lm, settings)
learner.initialize_algorithm(max_train_len=MAX_TRAIN_SEQ_LEN, max_generation_len=MAX_GENERATION_LENGTH)

config = {"seed": 1, "lr": LR, "batch": BATCH_SIZE, "workers": [COLLECTION_WORKERS, EVALUATION_WORKERS]}
with TrainingSession.open(
    "self_play_standard", total_timesteps=ITERATIONS, config=config, out=chosen.out
) as session:
    # actor and collector; adapters lie in the run folder
    folder = session.folder.root.resolve()
    play = PlaySettings(make_game, make_opponent, find_template, folder, TEMPERATURE, MAX_GENERATION_LENGTH)
    pool = LocalPool([Actor(TransformersBackend(lm), gauge=tracker)], play)
    collector = league.Collector(game_scheduler, step_buffer, model_registry, tracker, pool)

    save = partial(lm.save_adapter, name="policy")
    parts = league.LeagueParts(game_scheduler, collector, step_buffer, learner, model_registry, tracker, save)
    workers = league.Workers(COLLECTION_WORKERS, EVALUATION_WORKERS)
    circle = league.League(parts, league.LeagueSettings(BATCH_SIZE, workers), folder)
    try:
        league.learn(session, circle)
    finally:
        circle.close()

summary = session.close()
for uid, rating in model_registry.ratings.items():
    print(f"{uid:12} {rating.mu:6.2f} ± {rating.sigma:.2f}")
print(f"{summary['status']} at update {summary['step']}; report: {chosen.out}/report.html")
