"""Self-play in a few lines: a tiny model learns SimpleTak against itself, and is measured on it and on Kuhn poker.

python examples/self_play_minimal.py            # again: it goes on where it stopped
"""

import argparse
from pathlib import Path

from kit.league import EvalEnvSpec, PlayerRecipe, TrainEnvSpec, build, tiny_player

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--out", default="runs/self_play_minimal")
parser.add_argument("--steps", type=int, default=8)
chosen = parser.parse_args()

tak = TrainEnvSpec(env_id="SimpleTak-v0-train", num_players=2, num_actors=2, prompt_template="compact")
measured = [
    EvalEnvSpec("SimpleTak-v0-train", num_players=2, prompt_template="compact", fixed_opponent="random"),
    EvalEnvSpec("KuhnPoker-v0-train", num_players=2, prompt_template="compact", fixed_opponent="random"),
]
model = tiny_player(Path(f"{chosen.out}-model"), [tak, *measured], PlayerRecipe(games=100, steps=100))

run = build(
    model_name=str(model),
    train_envs=[tak],
    eval_envs=measured,
    max_generation_len=8,
    batch_size=128,
    mini_batch_size=64,
    learning_rate=1e-3,
)
run.start(learning_steps=chosen.steps, num_collection_workers=32, num_eval_workers=4, out=chosen.out)
summary = run.wait()
print(f"{summary['status']} at update {summary['step']}; report: {chosen.out}/report.html")
