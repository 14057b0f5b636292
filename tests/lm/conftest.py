"""A tiny model for all tests of kit/lm, made once; each test loads its own copy."""

from pathlib import Path

import pytest

from kit.lm.generation import Prompt
from kit.lm.language_model import LanguageModel
from kit.lm.tiny import TinySettings, make_tiny

SMALL = TinySettings(
    vocabulary=320, hidden=32, layers=2, heads=4, key_value_heads=2, feed_forward=64, context=128
)
RULES = "Kuhn poker with three cards. You are player 0. Answer with one action.\n"
STATES = (
    "J check bet:",
    "Q|check bet:",
    "K bet|call fold:",
    "J|check bet, check bet:",
    "Q bet|call fold 17:",
)
ACTIONS = ("check", "bet", "call", "fold")


def examples() -> list[tuple[Prompt, str]]:
    """Return prompts with answers; the same state always has the same answer."""
    return [(Prompt(RULES, state), ACTIONS[number % 4]) for number, state in enumerate(STATES)] * 8


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model."""
    return make_tiny(examples(), tmp_path_factory.mktemp("models") / "tiny", SMALL)


@pytest.fixture
def lm(tiny_folder: Path) -> LanguageModel:
    """The tiny model, the test's own."""
    return LanguageModel.load(tiny_folder, device="cpu")


@pytest.fixture
def folders(tiny_folder: Path, tmp_path: Path) -> list[str]:
    """Folders of three adapters, all different."""
    from tests.lm.adapted import SMALL, trained

    lm = LanguageModel.load(tiny_folder, device="cpu")
    lm.adapt(SMALL)
    for number in range(3):
        trained(lm, "policy", number)
        lm.save_adapter(tmp_path / f"{number:06d}")
    return [str(tmp_path / f"{number:06d}") for number in range(3)]
