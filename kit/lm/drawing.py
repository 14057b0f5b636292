"""Drawing tokens: by inverse CDF from one uniform number each, so that a request's own seed decides all of them."""

from __future__ import annotations

import numpy as np
import torch

from kit.errors import DivergenceError


def uniforms(seed: int, count: int) -> np.ndarray:
    """Return the ``count`` numbers in [0, 1) of a request: the n-th draws its n-th token.

    They are those of Philox, a counter-based generator (Salmon et al., SC 2011) with the seed as its key: the n-th
    number is a function of seed and n.
    """
    return np.random.Generator(np.random.Philox(key=seed)).random(count)


def draw(
    logits: torch.Tensor, numbers: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (tokens, log-probabilities), both (B,), for logits (B, V) and uniform numbers (B,) in float64.

    Probabilities are softmax(logits / temperature) in float32, summed up in float64; a token is the first whose sum is
    above the number. At temperature 0 it is the most likely one, with its log-probability under softmax(logits).

    Raises:
        DivergenceError: the logits of a row are no numbers.
    """
    tempered = logits.float() - logits.float().amax(dim=-1, keepdim=True)
    if temperature > 0:
        tempered = tempered / temperature
    logprobs = torch.log_softmax(tempered, dim=-1)
    sums = logprobs.double().exp().cumsum(dim=-1)
    total = sums[:, -1:]
    if bool(total.isnan().any()):
        raise DivergenceError(
            "The logits are no finite numbers: the weights, or the adapter's, have diverged."
        )
    if temperature > 0:
        below = torch.nextafter(total, torch.zeros_like(total))
        points = torch.minimum(numbers.unsqueeze(-1) * total, below)
        tokens = torch.searchsorted(sums, points, right=True)
    else:
        tokens = logprobs.argmax(dim=-1, keepdim=True)
    return tokens.squeeze(-1), logprobs.gather(-1, tokens).squeeze(-1)
