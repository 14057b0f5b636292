"""Saving an adapter in a process that is really killed."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kit.harness.store import sweep
from kit.lm.adapter_folder import read_adapter, write_adapter

WRITER = """
import itertools, sys
from pathlib import Path
import torch
from kit.lm.adapter_folder import write_adapter

for number in itertools.count(1):
    write_adapter(Path(sys.argv[1]), {"r": number, "target_modules": ["q"]}, {"w": torch.full((2**18,), float(number))})
    print(number, flush=True)
"""


@pytest.mark.slow
def test_a_killed_save_leaves_a_whole_adapter(tmp_path: Path):
    """The old one or the new one, and nothing else, after the sweep with which a run folder is opened."""
    folder = tmp_path / "000007"
    write_adapter(folder, {"r": 0, "target_modules": ["q"]}, {"w": torch.zeros(2**18)})
    for round_ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(1 + round_):
                last = int(writer.stdout.readline())
            writer.kill()
            last = max([last, *map(int, writer.stdout.read().split())])
        sweep(tmp_path)
        config, weights = read_adapter(folder)
        assert config["r"] in (last, last + 1)
        assert bool((weights["w"] == config["r"]).all())
        assert [path.name for path in tmp_path.iterdir()] == ["000007"]
