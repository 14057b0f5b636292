"""The command line's ``memory``: rows, verdicts, exit codes and the tables."""

import json
from pathlib import Path

import pytest

import validation_cli

ROOT = Path(__file__).resolve().parent.parent


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Run ``memory`` in this process; return exit code, stdout and stderr."""
    code = validation_cli.main(("memory", *words))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_it_says_what_fits_by_its_exit_code(capsys):
    """0 for a card that holds it, 3 for one that does not, 0 where no card is named; the text says the same."""
    words = ("qwen3-1.7b", "--lora-rank", "16", "--checkpointing", "gradient")
    assert call(capsys, *words)[0] == 0
    code, text, _ = call(capsys, *words, "--vram", "24GB")
    assert (code, "\nFITS in 24.0 GB" in text) == (0, True)
    code, text, _ = call(capsys, *words, "--vram", "6GB")
    assert (code, "DOES NOT FIT in 6.0 GB" in text) == (3, True)
    assert all(len(line) <= 100 for line in text.splitlines())


def test_its_json_adds_up_and_names_the_largest_that_fits(capsys):
    """The rows sum to the total, the largest moment; the largest length fits, and one token more does not."""
    words = ("llama3.2-1b", "--lora-rank", "8", "--vram", "12GB", "--json")
    code, text, _ = call(capsys, *words)
    found = json.loads(text)
    assert (
        sum(row["bytes"] for row in found["rows"]) == found["total_bytes"] == max(found["moments"].values())
    )
    assert (code == 0) == found["fits"]
    longest = found["largest_length"]
    assert call(capsys, *words, "--length", str(longest))[0] == 0
    assert call(capsys, *words, "--length", str(longest + 1))[0] == 3


def test_generating_on_the_same_card_counts_its_cache(capsys):
    """With a large cache the peak is while it generates, and what training holds between steps is still there."""
    words = ("qwen2.5-0.5b", "--lora-rank", "8", "--length", "128", "--generate", "256x4096", "--json")
    found = json.loads(call(capsys, *words)[1])
    rows = {row["name"]: row["bytes"] for row in found["rows"]}
    assert found["peak_at"] == "generation"
    assert rows["KV cache"] == 12_288 * 256 * 4_096
    assert {"weights", "adapters", "optimizer states"} <= set(rows)
    assert rows["weights"] == 2 * found["parameters"]


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (("qwen3-17b",), "qwen3-1.7b"),
        (("qwen3-4b", "--dtype", "bf61"), "bf16"),
        (("qwen3-4b", "--checkpointing", "gradients"), "gradient"),
        (("qwen3-4b", "--lora-rank", "4", "--lora-targets", "q_porj"), "q_proj"),
        (("qwen3-4b", "--vram", "16 G-B"), "16GB"),
        (("qwen3-4b", "--checkpoints", "none"), "--checkpointing"),
        (("dqn", "--env", "CartPole-v11"), "CartPole-v1"),
        (("dqn", "--env", "CartPole-v1", "--set", "buffersize=10"), "buffer_size"),
        (("dqn",), "--env"),
    ],
)
def test_a_misspelt_word_exits_2_with_the_nearest(capsys, words, nearest):
    """Shapes, types, switches, projections, sizes and options: each error has the closest legal one."""
    code, text, errors = call(capsys, *words, "--json")
    assert (code, json.loads(text)["nearest"]) == (2, nearest)
    assert "Did you mean" in errors or nearest == "--env"


@pytest.mark.parametrize(
    "words", [("--generate", "64"), ("--length", "0"), ("--length", "1e9"), ("--batch", "-1")]
)
def test_a_number_that_cannot_be_is_bad_usage(capsys, words):
    """What cannot be read, is below 1, or is longer than the model was made for exits 2."""
    assert call(capsys, "qwen3-4b", *words)[0] == 2


@pytest.mark.slow
def test_an_algorithm_is_estimated_by_its_name_and_environment(capsys):
    """DQN on four cart poles: a transition takes 2 × 16 + 8 + 12 B, and the process is measured by starting one."""
    words = ("dqn", "--env", "CartPole-v1", "--n-envs", "4", "--set", "buffer_size=2_000_000", "--json")
    found = json.loads(call(capsys, *words)[1])
    rows = {row["name"]: row["bytes"] for row in found["rows"]}
    assert rows["replay buffer"] == 2_000_000 * 52
    assert rows["process"] > 30e6
    assert found["parameters"] == 4 * 64 + 64 + 64 * 64 + 64 + 64 * 2 + 2
    assert call(capsys, *words, "--vram", "100MB")[0] == 3
    assert call(capsys, *words, "--vram", "16GB")[0] == 0


@pytest.mark.parametrize(
    "words", [("sac", "--env", "CartPole-v1"), ("ppo", "--env", "CartPole-v1", "--set", "n_steps=many")]
)
def test_what_the_algorithm_itself_refuses_is_bad_usage(capsys, words):
    """An action space that it cannot have, a value that is none: exit code 2 and the reason."""
    code, _, errors = call(capsys, *words)
    assert (code, "error: " in errors) == (2, True)


def test_the_tables_of_the_page_are_current(monkeypatch):
    """docs/memory.md has the tables that ``python tools/memory.py`` writes."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import memory  # type: ignore[import-not-found]

    assert memory.page() == memory.PAGE.read_text(), "run `python tools/memory.py`"


def test_the_tables_in_the_terminal_have_every_model_and_card(capsys):
    """``memory table`` prints five models, each with six cards and a pair of T4, none wider than 100 columns."""
    code, text, _ = call(capsys, "table")
    assert code == 0
    assert text.count("T4 ×2, learner") == text.count("80 GB") == 5
    assert all(len(line) <= 100 for line in text.splitlines())


def test_every_cell_of_the_tables_is_the_longest_that_fits(capsys):
    """Of each cell the estimate is within the card, and 64 tokens more are not."""
    from dataclasses import replace

    from kit.timing.memory.shapes import SHAPES
    from kit.timing.memory.step import training_memory
    from kit.timing.memory.tables import SETUP, T4_SETUP

    for table in json.loads(call(capsys, "table", "--json")[1])["tables"]:
        for row in table["rows"]:
            setup = T4_SETUP if "T4" in row["card"] else SETUP
            for name, cell in row["cells"].items():
                assert bool(cell["length"]) == (cell["total_bytes"] <= row["vram_bytes"])
                more = replace(setup, checkpointing=name, length=cell["length"] + 64)
                beyond = training_memory(SHAPES[table["shape"]], more).total_bytes
                assert cell["model_limit"] or beyond > row["vram_bytes"]
