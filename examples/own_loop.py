"""A training loop of one's own under a session: run it, kill it, run it again; it ends with the same weights.

python examples/own_loop.py            # or: --soft-limit 5 to see it stop in time and continue
"""

import argparse
import hashlib

import torch

from kit import TrainingSession

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--out", default="runs/own_loop")
parser.add_argument("--steps", type=int, default=5_000)
parser.add_argument("--soft-limit", default="")
chosen = parser.parse_args()

torch.set_num_threads(1)
torch.manual_seed(0)
network = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

config = {"seed": 0, "width": 32, "learning_rate": 1e-3}
options = {"out": chosen.out, "soft_limit": chosen.soft_limit}
with TrainingSession.open("own_loop", total_timesteps=chosen.steps, config=config, **options) as session:
    session.register(network=network, optimizer=optimizer)
    for step in session.steps():
        inputs = torch.randn(64, 8)
        loss = ((network(inputs) - inputs.sum(1, keepdim=True).sin()) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % 100 == 0:
            session.record(loss=loss.item())

summary = session.close()
weights = b"".join(parameter.detach().numpy().tobytes() for parameter in network.parameters())
print(f"{summary['status']} at step {summary['step']}: weights {hashlib.sha256(weights).hexdigest()[:16]}")
