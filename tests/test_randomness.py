import random

import numpy as np
import torch

from kit.randomness import capture_generators, restore_generators, seed_generators
from kit.tensors import decode, encode


def draw() -> list[float]:
    """Draw from every global generator, Gaussian ones too: those keep a second number back."""
    return [
        random.random(),
        random.gauss(0, 1),
        float(np.random.normal()),
        float(np.random.rand()),
        float(torch.rand(1)),
        float(torch.randn(1)),
    ]


def test_generators_go_on_where_they_were_captured():
    """Captured through a checkpoint's files and put back, all of them draw the same again."""
    draw()
    files = encode(capture_generators())
    expected = [draw() for _ in range(3)]
    draw()
    restore_generators(decode(files))
    assert [draw() for _ in range(3)] == expected


def test_capturing_disturbs_nothing():
    """The numbers after a capture are those without one."""
    seed_generators(5)
    expected = [draw(), draw()]
    seed_generators(5)
    first = draw()
    capture_generators()
    assert [first, draw()] == expected


def test_a_seed_decides_every_generator():
    """The same seed, the same numbers; a seed above 32 bits works, and another gives others."""
    seed_generators(2**40)
    one = draw()
    seed_generators(2**40)
    assert draw() == one
    seed_generators(1)
    assert all(a != b for a, b in zip(draw(), one, strict=True))
