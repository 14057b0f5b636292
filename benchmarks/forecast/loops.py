"""Training loops of one's own, as one writes them with torch: a Dataset, a DataLoader, a network, an optimizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from benchmarks.forecast.batches import Batches
from benchmarks.forecast.workloads import EVALUATIONS, SHARE_OF_QUICK, LoopWorkload
from kit.errors import choose
from kit.session import TrainingSession

FEATURES = 32
ITEMS = 20_000
TOKENS, LENGTH = 256, 64
VALIDATION_BATCHES = 20


class TinyTransformer(nn.Module):
    """Three layers of self-attention that say the next token: (B, T) tokens to (B, T, TOKENS) logits."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(TOKENS, width)
        self.place = nn.Parameter(torch.randn(LENGTH, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.head = nn.Linear(width, TOKENS)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(LENGTH), persistent=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the logits of the tokens that follow."""
        return self.head(self.layers(self.embed(tokens) + self.place, mask=self.mask, is_causal=True))


def mlp(width: int) -> nn.Module:
    """Return a network of two hidden layers, (B, FEATURES) to (B, 1)."""
    return nn.Sequential(
        nn.Linear(FEATURES, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)
    )


def vectors(seed: int) -> Dataset[Any]:
    """Return vectors with a smooth function of them: (FEATURES,) and (1,)."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(ITEMS, FEATURES, generator=generator)
    return TensorDataset(inputs, inputs[:, :4].sum(1, keepdim=True).sin())


class Sequences(Dataset[Any]):
    """Windows of a long sequence that repeats itself with noise: (LENGTH,) tokens and (LENGTH,) that follow."""

    def __init__(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        tokens = torch.arange(ITEMS + LENGTH + 1) * 7 % 251
        noise = torch.randint(0, TOKENS, tokens.shape, generator=generator)
        self._tokens = torch.where(torch.rand(tokens.shape, generator=generator) < 0.1, noise, tokens)

    def __len__(self) -> int:
        return ITEMS

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        window = self._tokens[index : index + LENGTH + 1]
        return window[:-1], window[1:]


def mean_square(network: nn.Module, batch: Any) -> torch.Tensor:
    """Return the mean squared error of a batch of vectors."""
    return nn.functional.mse_loss(network(batch[0]), batch[1])


def next_token(network: nn.Module, batch: Any) -> torch.Tensor:
    """Return the cross-entropy of a batch of sequences."""
    return nn.functional.cross_entropy(network(batch[0]).flatten(0, 1), batch[1].flatten())


NETWORKS: dict[str, tuple[Any, Any, Any]] = {
    "mlp": (mlp, vectors, mean_square),
    "transformer": (TinyTransformer, Sequences, next_token),
}


@dataclass
class Loop:
    """The parts of a loop, and one step of it."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    batches: Batches
    validation: Batches
    loss_of: Any

    @classmethod
    def of(cls, workload: LoopWorkload, seed: int) -> Loop:
        """Make them; the network's weights come from ``seed``."""
        make, data, loss_of = choose("network", workload.network, NETWORKS)
        torch.manual_seed(seed)
        network = make(workload.width)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        batches = Batches(data(seed), workload.batch, seed)
        return cls(network, optimizer, batches, Batches(data(seed + 1), workload.batch, seed), loss_of)

    def step(self) -> float:
        """Train on the next batch; return its loss."""
        loss = self.loss_of(self.network, next(self.batches))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.item())

    def validate(self) -> float:
        """Return the mean loss of some batches that are not trained on."""
        with torch.no_grad():
            losses = [self.loss_of(self.network, next(self.validation)) for _ in range(VALIDATION_BATCHES)]
        return float(torch.stack(losses).mean())


def train_loop(session: TrainingSession, workload: LoopWorkload) -> None:
    """Train the network up to the session's total, with ten validations in a run."""
    torch.set_num_threads(session.options.threads)
    with session.phase("warm_up"):
        loop = Loop.of(workload, session.seed)
    every = max(1, workload.timesteps // EVALUATIONS)
    session.planner.repeats("evaluate", 1, every=every)
    session.quick_steps(max(20, workload.timesteps // SHARE_OF_QUICK))
    session.register(
        network=loop.network, optimizer=loop.optimizer, batches=loop.batches, validation=loop.validation
    )
    for step in session.steps():
        loss = loop.step()
        done = step + 1
        if done % session.metrics_every == 0:
            session.record(loss=loss)
        if done % every == 0 or done == session.total_timesteps:
            with session.phase("evaluate"):
                validation_loss = loop.validate()
            session.record(validation_loss=validation_loss)
