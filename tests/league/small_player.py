"""A very small model that knows the rules of Kuhn poker, made once for a test session."""

from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

from kit.league.env_specs import EvalEnvSpec, TrainEnvSpec
from kit.league.player_recipe import PlayerRecipe, tiny_player
from kit.lm.tiny import TinySettings

SHAPE = TinySettings(
    vocabulary=320, hidden=32, layers=1, heads=2, key_value_heads=1, feed_forward=64, context=64
)
RECIPE = PlayerRecipe(games=100, steps=250, batch=32, learning_rate=5e-3, shape=SHAPE)
KUHN = TrainEnvSpec("Kuhn-v0", 2, 2, "compact")
AGAINST = TrainEnvSpec("Kuhn-v0", 2, 1, "compact")
MEASURED = EvalEnvSpec("Kuhn-v0", 2, "compact", fixed_opponent="random")


@lru_cache(1)
def small_player() -> Path:
    """Return its folder."""
    return tiny_player(Path(mkdtemp(prefix="small-player-")) / "model", [KUHN], RECIPE)


def small_settings(**more):
    """Return arguments of build() for leagues of Kuhn poker that take a second."""
    return {
        "model_name": str(small_player()),
        "train_envs": [KUHN],
        "eval_envs": [MEASURED],
        "batch_size": 24,
        "mini_batch_size": 12,
        "max_generation_len": 6,
        "learning_rate": 1e-2,
        "lora_config": {"lora_rank": 4},
        "vllm_config": {"temperature": 1.0},
        "eval_every": 2,
        "eval_games": 8,
        **more,
    }
