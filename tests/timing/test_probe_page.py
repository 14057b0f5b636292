import re
from pathlib import Path

import pytest
import torch

from kit.timing.probe import Probe
from tests.sb3.environments import Drift

PAGE = Path(__file__).resolve().parents[2] / "docs/probe.md"
SNIPPETS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_page_shows_all_three_kinds():
    """A module, an algorithm of stable-baselines3, and a loop of one's own."""
    assert [re.findall(r"probe_module|kit\.sb3|Probing", text)[0] for text in SNIPPETS] == [
        "probe_module",
        "kit.sb3",
        "Probing",
    ]


@pytest.mark.parametrize("snippet", SNIPPETS, ids=["module", "sb3", "own loop"])
def test_the_examples_of_the_page_run(snippet, capsys):
    """What the page tells people to write works as it stands."""
    module = torch.nn.Linear(4, 1)
    loader = [(torch.randn(8, 4), torch.randn(8, 1)) for _ in range(3)]
    names = {
        "module": module,
        "loader": loader,
        "optimizer": torch.optim.SGD(module.parameters(), lr=0.1),
        "make_env": Drift,
        "batches": iter([[1.0] * 4] * 1_000),
        "train_on": lambda batch: sum(batch),
    }
    exec(compile(snippet, str(PAGE), "exec"), names)
    assert [value.steps > 0 for value in names.values() if isinstance(value, Probe)] == [True]
