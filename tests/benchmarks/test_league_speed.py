"""The benchmark of self-play's speed: its parts for real, as small as they get, and what is kept of them."""

import json
import math
from collections import Counter

import pytest

from benchmarks.league.kept import LEARNING, SPEED, keep, rows_of
from benchmarks.league.speed_legal import LegalMoves, legal_actions
from benchmarks.league.speed_part import PARTS, part
from benchmarks.league.speed_player import ANSWER_TOKENS, GAMES, VERBOSE_GAMES, load_player, make_player
from benchmarks.league.speed_prompts import Endless, recorded, without_doubles
from benchmarks.league.speed_rows import cpu_seconds, row
from benchmarks.league.speed_size import SIZES
from benchmarks.league.table import markdown, plain
from kit.league.games.registry import make_game
from kit.league.prompt_templates import COMPACT, find_template

FORMS = [(env_id, COMPACT.name) for env_id in GAMES]
FORMS += [(env_id, name) for env_id in VERBOSE_GAMES for name in ANSWER_TOKENS if name != COMPACT.name]


@pytest.fixture(scope="module")
def player(tmp_path_factory):
    """The model, hardly warmed up."""
    return make_player(tmp_path_factory.mktemp("speed"), 1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", PARTS)
def test_every_part_measures(name, player):
    """Rows have figures that are finite and above zero, a unit, and what they are held against."""
    rows = part(name)(SIZES["tiny"], player)
    assert len(rows) >= 3
    for found in rows:
        assert math.isfinite(found["value"]), found
        assert found["value"] > 0, found
        assert found["ratio"] is None or 0 < found["ratio"] < math.inf, found
        assert found["unit"]
        assert isinstance(found["against"], str)
    assert markdown(rows).count("\n") == len(rows) + 2
    assert max(map(len, plain(rows).splitlines())) <= 150


@pytest.mark.slow
def test_the_model_answers_in_every_form(player):
    """It ends its answers by itself, so that their length is that of real ones."""
    backend = load_player(player)
    from kit.lm.transformers_backend import TransformersBackend

    for env_id, name in FORMS:
        [asked] = recorded(env_id, name, in_flight=8, rounds=1)
        answers = TransformersBackend(backend).generate(asked)
        assert sum(answer.ended for answer in answers) >= 6, (env_id, name)


@pytest.mark.parametrize(("env_id", "template"), FORMS)
def test_legal_moves_are_read_from_prompts(env_id, template):
    """They are all that the game says is legal, at every move of a game."""
    game = make_game(env_id)
    for seed in range(6):
        game.reset(seed)
        while not game.over:
            view = game.view()
            shown = find_template(template).prompt(view).rest
            assert sorted(legal_actions(shown)) == sorted(view.legal)
            game.step(view.legal[seed % len(view.legal)])


@pytest.mark.parametrize(("env_id", "template"), FORMS)
def test_endless_games_take_their_course(env_id, template):
    """No move is illegal, nothing breaks, as many stay in flight, and no two games are alike by number."""
    games = Endless(LegalMoves(), env_id, template, 6)
    records = [record for _ in range(25) for record in games.round()]
    assert len(records) > 4
    assert all(not record.fault and all(move.legal for move in record.moves) for record in records)
    assert set(Counter(record.spec.number for record in records).values()) == {1}


def test_recorded_rounds_are_the_same_again():
    """So both alternatives are asked the same; without doubles none is asked twice in a round."""
    some = recorded("Kuhn-v0", COMPACT.name, in_flight=20, rounds=2)
    assert some == recorded("Kuhn-v0", COMPACT.name, in_flight=20, rounds=2)
    assert [len(asked) for asked in some] == [20, 20]
    for asked, once in zip(some, without_doubles(some), strict=True):
        assert len(once) == len({request.prompt for request in asked}) < 20


def test_alternatives_take_turns():
    """One after the other, each as often, with the first round left out."""
    done = []
    seconds = cpu_seconds([lambda: done.append("a"), lambda: done.append("b")], 3)
    assert done == ["a", "b"] * 4
    assert len(seconds) == 2
    assert min(seconds) >= 0


def test_rows_of_other_benchmarks_stay(tmp_path):
    """Those of an earlier run of the same one go; rows that do not say whose they are tell of learning."""
    path = tmp_path / "results.json"
    old = row("old", 1.0, "s", "", None)
    path.write_text(json.dumps([old]))
    keep([row("fast", 2.0, "games/s", "slow: 1", 2.0)], SPEED, path)
    keep([row("faster", 3.0, "games/s", "slow: 1", 3.0)], SPEED, path)
    assert [one["name"] for one in rows_of(LEARNING, path)] == ["old"]
    assert [one["name"] for one in rows_of(SPEED, path)] == ["faster"]
    keep([row("new", 1.0, "s", "", None, met=True)], LEARNING, path)
    assert [one["name"] for one in json.loads(path.read_text())] == ["new", "faster"]
