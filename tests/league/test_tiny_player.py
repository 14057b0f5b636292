"""The tiny player: it knows the rules and nothing of how to play, and the same recipe makes the same one."""

import json
import math
from dataclasses import replace

import pytest

from kit.errors import IntegrityError, UsageError
from kit.league.action_probabilities import action_log_probabilities
from kit.league.env_specs import TrainEnvSpec
from kit.league.exploitability import exploitability
from kit.league.games.registry import make_game
from kit.league.kuhn_monitor import KuhnMonitor, illegal_mass, relative_weights
from kit.league.player_recipe import PlayerRecipe, random_endings, random_moves, tiny_player
from kit.league.prompt_templates import find_template
from kit.lm.language_model import LanguageModel
from kit.lm.lora import LoraSettings
from tests.league.small_player import KUHN, RECIPE, small_player


def test_random_games_are_legal_and_the_same_again():
    """Every answer is an action that was legal there; games come from the seed; both actions occur everywhere."""
    moves = random_moves([KUHN, KUHN], 40, 3)
    assert moves == random_moves([KUHN], 40, 3)
    seen = {}
    for prompt, answer in moves:
        state = prompt.rest.split("\n")[0]
        history = state.partition("|")[2].split()
        assert answer in (("call", "fold") if "bet" in history else ("check", "bet"))
        seen.setdefault(state, set()).add(answer)
    assert len(seen) == 12
    assert all(len(answers) == 2 for answers in seen.values())


def test_endings_are_those_of_the_same_games():
    """One for every move, asked with a question mark; who moves last tells of that action, and has won or drawn."""
    spec = TrainEnvSpec("TicTacToe-v0", 2, 2, "compact")
    moves, endings = random_moves([spec], 30, 3), random_endings([spec], 30, 3)
    assert len(moves) == len(endings)
    lasts = [place for place, (prompt, _) in enumerate(moves[1:]) if "O" not in prompt.rest] + [
        len(moves) - 1
    ]
    assert len(lasts) == 30
    for place, ((prompt, action), (asked, answer)) in enumerate(zip(moves, endings, strict=True)):
        assert (asked.fixed, asked.rest) == (prompt.fixed, prompt.rest[:-1] + "?")
        assert answer[:-1] == moves[min(last for last in lasts if last >= place)][1]
        if place in lasts:
            assert answer == f"{action}{answer[-1]}"
            assert answer[-1] in "wd"
    assert {answer[-1] for _, answer in endings} == set("wdl")


def test_endings_are_asked_of_bare_answers_only():
    """An answer in a box has thoughts before it, and no cue to be exchanged."""
    with pytest.raises(UsageError, match="qwen3-zs"):
        random_endings([TrainEnvSpec("TicTacToe-v0", 2, 2, "qwen3-zs")], 1, 0)


def test_the_same_recipe_makes_the_same_player_and_makes_it_once(tmp_path):
    """Weights and tokenizer to the byte; what lies there is left alone, unless it is of another recipe."""
    short = replace(RECIPE, games=10, steps=2)
    one, other = (tiny_player(tmp_path / name, [KUHN], short) for name in ("one", "other"))
    files = sorted(path.name for path in one.iterdir())
    assert {"config.json", "model.safetensors", "tokenizer.json", "made.json"} <= set(files)
    for name in files:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    marks = {path: path.stat().st_mtime_ns for path in one.iterdir()}
    tiny_player(one, [KUHN], short)
    assert {path: path.stat().st_mtime_ns for path in one.iterdir()} == marks
    tiny_player(one, [KUHN], replace(short, seed=1))
    assert json.loads((one / "made.json").read_text())["recipe"]["seed"] == 1
    assert (one / "model.safetensors").read_bytes() != (other / "model.safetensors").read_bytes()


def test_it_knows_the_rules_and_not_how_to_play():
    """Nearly all it says is legal, and its play is about as good as chance: exploitability near 11/24."""
    lm = LanguageModel.load(small_player())
    game = make_game("Kuhn-v0")
    game.reset(0)
    [logprobs] = action_log_probabilities(lm, find_template("compact"), [game.view()])
    chances = {action: math.exp(logprob) for action, logprob in logprobs.items()}
    assert set(chances) == {"check", "bet"}
    assert 0.9 < sum(chances.values()) <= 1.0 + 1e-6
    lm.adapt(LoraSettings(rank=2), "policy")
    monitor = KuhnMonitor(lm, find_template("compact"))
    assert monitor.average.count == 1
    assert exploitability(monitor.first) == pytest.approx(11 / 24, abs=0.12)
    seen = monitor.look()
    assert seen["eval_exploitability"] == pytest.approx(seen["eval_exploitability_of_average"])
    assert monitor.average.count == 2


def test_a_policy_that_says_nothing_legal_is_still_looked_at():
    """All legal answers underflow to 0: the monitor goes on with what they are to each other, and tells the mass."""
    lm = LanguageModel.load(small_player())
    lm.adapt(LoraSettings(rank=2), "policy")
    legal = KuhnMonitor(lm, find_template("compact")).figures()
    assert 0.0 < legal["eval_illegal_mass"] < 0.1
    lm.module.model.norm.weight.data.mul_(-20.0)  # what was most likely is least likely
    monitor = KuhnMonitor(lm, find_template("compact"), temperature=0.01)
    game = make_game("Kuhn-v0")
    game.reset(0)
    [chances] = action_log_probabilities(lm, find_template("compact"), [game.view()], temperature=0.01)
    assert sum(map(math.exp, chances.values())) == 0.0
    seen = monitor.look()
    assert seen["eval_illegal_mass"] == pytest.approx(1.0)
    assert 0.0 <= seen["eval_exploitability"] <= 2.0


def test_log_probabilities_far_below_zero_keep_their_ratios():
    """By hand: e to the −1 beside 1, wherever both lie; 0.6 of the mass is left to other answers by 0.3 and 0.1."""
    assert relative_weights({"check": -2000.0, "bet": -2001.0}) == {"check": 1.0, "bet": math.exp(-1.0)}
    assert illegal_mass({"check": math.log(0.3), "bet": math.log(0.1)}) == pytest.approx(0.6)
    assert illegal_mass({"check": 1e-9}) == 0.0


def test_a_recipe_without_games_is_refused():
    """There is nothing to learn the form of an answer from."""
    with pytest.raises(UsageError, match="games must be at least 1, not 0"):
        PlayerRecipe(games=0)


def test_actions_behind_reasoning_have_no_probability():
    """A template that lets the model think first has no single answer for an action."""
    with pytest.raises(UsageError, match="lets a model think"):
        action_log_probabilities(LanguageModel.load(small_player()), find_template("qwen3-zs"), [])


def test_a_folder_that_it_did_not_make_is_left_alone(tmp_path):
    """Somebody's notes, alone or beside a player of another recipe; a file; an empty folder is filled."""
    short = replace(RECIPE, games=10, steps=2)
    notes = tmp_path / "mine" / "notes.txt"
    notes.parent.mkdir()
    notes.write_text("dear to me")
    with pytest.raises(UsageError, match=r"mine holds notes\.txt"):
        tiny_player(notes.parent, [KUHN], short)
    with pytest.raises(UsageError, match="is a file"):
        tiny_player(notes, [KUHN], short)
    (tmp_path / "made").mkdir()
    made = tiny_player(tmp_path / "made", [KUHN], short)
    notes.rename(made / "notes.txt")
    with pytest.raises(UsageError, match=r"made holds notes\.txt"):
        tiny_player(made, [KUHN], replace(short, seed=1))
    assert (made / "notes.txt").read_text() == "dear to me"
    assert json.loads((made / "made.json").read_text())["recipe"]["seed"] == 0


def test_a_player_is_used_again_only_as_it_was_made(tmp_path):
    """A flipped byte of its weights, a file that is gone, a made.json that is cut or says nothing: each is named."""
    made = tiny_player(tmp_path / "made", [KUHN], replace(RECIPE, games=10, steps=2))

    def refused(name, content):
        whole = (made / name).read_bytes()
        (made / name).unlink() if content is None else (made / name).write_bytes(content(whole))
        with pytest.raises(IntegrityError, match=name) as caught:
            tiny_player(made, [KUHN], replace(RECIPE, games=10, steps=2))
        assert caught.value.bad == [f"made/{name}"]
        (made / name).write_bytes(whole)

    refused("model.safetensors", lambda whole: whole[:-1] + bytes([whole[-1] ^ 1]))
    refused("config.json", None)
    refused("made.json", lambda whole: whole[: len(whole) // 2])
    refused("made.json", lambda _: b"[]")
    assert tiny_player(made, [KUHN], replace(RECIPE, games=10, steps=2)) == made


def test_templates_that_stop_at_different_texts_are_refused(tmp_path):
    """By name, with the text of each, before anything is made; and so is no game at all."""
    other = TrainEnvSpec("Kuhn-v0", 2, 2, "qwen3-zs")
    with pytest.raises(UsageError, match=r"compact at .*, qwen3-zs at "):
        tiny_player(tmp_path / "made", [KUHN, other])
    with pytest.raises(UsageError, match="there is no game"):
        tiny_player(tmp_path / "made", [])
    assert not (tmp_path / "made").exists()
