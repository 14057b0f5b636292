"""A learner of one's own in a league: it imitates moves of games that went well, and learns nothing from the others.

python examples/self_play_own_algorithm.py
"""

import argparse
from pathlib import Path

from kit.league import (
    BaseLearner,
    EvalEnvSpec,
    PlayerRecipe,
    TrainEnvSpec,
    build,
    register_learner,
    tiny_player,
)
from kit.league.learners.policy_gradient import PolicyGradient

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--out", default="runs/self_play_own_algorithm")
parser.add_argument("--steps", type=int, default=8)
chosen = parser.parse_args()


class Imitation(BaseLearner):
    """Raises the likelihood of steps with a positive reward, each by how large it is."""

    def _update(self, batch):
        """Add up the gradients and return metrics; optimizer, clipping, counting and saving are the base class's."""
        weights = [max(0.0, step.reward) for step in batch]
        metrics = PolicyGradient(self.settings).accumulate(self.lm, batch, weights, self.backward)
        return {**metrics, "imitated": sum(weight > 0 for weight in weights) / len(batch)}


register_learner("my_algo", Imitation)

game = TrainEnvSpec("TicTacToe-v0-train", num_players=2, num_actors=2, prompt_template="compact")
measured = [EvalEnvSpec("TicTacToe-v0-train", 2, "compact", fixed_opponent="random")]
model = tiny_player(Path(f"{chosen.out}-model"), [game, *measured], PlayerRecipe(games=100, steps=100))

run = build(
    model_name=str(model),
    train_envs=[game],
    eval_envs=measured,
    algorithm="my_algo",
    max_generation_len=8,
    batch_size=128,
    mini_batch_size=64,
    learning_rate=1e-3,
    vllm_config={"temperature": 1.0},
    eval_every=4,
    eval_games=50,
)
run.start(learning_steps=chosen.steps, num_collection_workers=32, out=chosen.out)
summary = run.wait()
for name, score in run.league.evaluation["scores"].items():
    print(f"{name}: {score:.3f}")
print(f"{summary['status']} at update {summary['step']}; report: {chosen.out}/report.html")
