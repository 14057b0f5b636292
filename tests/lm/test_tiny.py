"""Making a tiny model."""

import pytest
import torch

from kit.errors import UsageError
from kit.lm.language_model import LanguageModel
from kit.lm.tiny import TinySettings, make_tiny
from tests.lm.conftest import RULES, SMALL, examples


def weights(folder) -> bytes:
    """Return the bytes of a model's weights."""
    return (folder / "model.safetensors").read_bytes()


def test_the_same_settings_give_the_same_model(tiny_folder, tmp_path):
    """Bit for bit, and nothing is drawn from the global generator."""
    state = torch.random.get_rng_state()
    assert weights(make_tiny(examples(), tmp_path / "again", SMALL)) == weights(tiny_folder)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_another_seed_gives_other_weights(tiny_folder, tmp_path):
    """And takes the place of the model that was there."""
    folder = tmp_path / "model"
    make_tiny(examples(), folder, SMALL)
    make_tiny(examples(), folder, TinySettings(**{**vars(SMALL), "seed": 1}))
    assert weights(folder) != weights(tiny_folder)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_spread_is_that_of_the_weights_at_first(tmp_path):
    """Their standard deviation, to a tenth; what they are multiples of stays the same."""
    rows = []
    for spread in (0.02, 0.2):
        folder = make_tiny(
            examples(), tmp_path / str(spread), TinySettings(**{**vars(SMALL), "spread": spread})
        )
        rows.append(LanguageModel.load(folder, device="cpu").module.get_input_embeddings().weight.detach())
        assert float(rows[-1].std()) == pytest.approx(spread, rel=0.1)
    torch.testing.assert_close(rows[1], 10 * rows[0])


def test_the_default_has_about_900_000_parameters(tmp_path):
    """Tied embeddings counted once."""
    lm = LanguageModel.load(make_tiny(examples(), tmp_path / "model"), device="cpu")
    assert 800_000 < sum(parameter.numel() for parameter in lm.module.parameters()) < 950_000
    assert lm.module.get_input_embeddings().weight is lm.module.get_output_embeddings().weight


def test_the_loaded_tokenizer_is_the_trained_one(lm, tiny_folder):
    """A loader that goes by the model's type would put another in its place."""
    assert lm.tokens("Q|check bet:") == lm.tokens("Q|check") + lm.tokens(" bet:")
    assert len(lm.tokens("Q|check bet:")) == 6
    assert lm.text(lm.tokens(RULES)) == RULES
    assert lm.module.config.vocab_size == len(lm.tokenizer)
    assert lm.module.config.eos_token_id == lm.tokenizer.eos_token_id


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden": 30},
        {"layers": 0},
        {"heads": 4, "key_value_heads": 3},
        {"vocabulary": 200},
        {"spread": 0.0},
        {"spread": float("nan")},
    ],
)
def test_shapes_that_do_not_go_together_are_refused(wrong):
    """Before anything is trained or written."""
    with pytest.raises(UsageError, match=next(iter(wrong))):
        TinySettings(**wrong)
