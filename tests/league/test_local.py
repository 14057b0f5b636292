"""The local pool: rounds, batches, order, and games that come back."""

import threading

import pytest

from kit.errors import UsageError
from kit.league.actor import Actor
from kit.league.game_spec import EVAL, TRAIN
from kit.league.local import LocalPool
from kit.tensors import decode, encode
from tests.league.made_games import Scripted, Taker, play_out, settings_in, spec_of

PLAYERS = [("policy", "policy"), ("policy", "past"), ("random", "policy"), ("policy", "far")]


def specs(count=20, **more):
    """Return games of all kinds of players."""
    return [spec_of(number, *PLAYERS[number % len(PLAYERS)], **more) for number in range(count)]


def pool_in(folder, actors=1, **more):
    """Return a pool, and the backends behind it."""
    backends = [Scripted(**more) for _ in range(actors)]
    return LocalPool([Actor(backend) for backend in backends], settings_in(folder)), backends


def test_a_round_is_one_call_with_every_policy_to_move_in_order(tmp_path):
    """All requests of a round together, by number of the game; no policy is asked twice in a round."""
    pool, [backend] = pool_in(tmp_path)
    pool.start(list(reversed(specs(8))))
    pool.round()
    assert len(backend.asked) == 1
    first = backend.asked[0]
    assert len(first) == 8
    alone, [other] = pool_in(tmp_path)
    alone.start(specs(8))
    alone.round()
    assert first == other.asked[0]


def test_what_is_played_beside_a_game_does_not_change_it(tmp_path):
    """Each game alone, all together, over one actor or three: the same records."""
    together, _ = play_out(pool_in(tmp_path)[0], specs())
    alone = [play_out(pool_in(tmp_path)[0], [spec])[0][0] for spec in specs()]
    three, _ = play_out(pool_in(tmp_path, 3)[0], specs())
    by_number = sorted(together, key=lambda record: record.spec.number)
    assert by_number == alone
    assert three == together


def test_games_of_the_other_kind_stand_still(tmp_path):
    """A round of evaluation games leaves training games where they were."""
    pool, _ = pool_in(tmp_path)
    pool.start([spec_of(0, "policy", "policy"), spec_of(1, "policy", "random", kind=EVAL)])
    before = pool.state_dict()["games"][0]
    while pool.in_flight(EVAL):
        pool.round((EVAL,))
    assert pool.state_dict()["games"] == [before]
    assert (pool.in_flight(TRAIN), pool.in_flight(EVAL)) == (1, 0)


@pytest.mark.parametrize("rounds", [0, 1, 2, 5])
def test_a_pool_comes_back_in_mid_play(tmp_path, rounds):
    """Through a checkpoint's files: the same games end in the same rounds with the same records."""
    undisturbed, _ = pool_in(tmp_path)
    undisturbed.start(specs())
    there = [undisturbed.round() for _ in range(rounds)]
    pool, _ = pool_in(tmp_path)
    pool.load_state_dict(decode(encode(undisturbed.state_dict())))
    assert pool.adapters() == undisturbed.adapters()
    assert len(there) == rounds
    for _ in range(30):
        assert pool.round() == undisturbed.round()
    assert pool.state_dict() == {"games": []}


def test_games_lost_elsewhere_catch_up(tmp_path):
    """Begun anew and played as many rounds as each had: all are where they were."""
    there, _ = pool_in(tmp_path)
    there.start(specs(6))
    there.round()
    there.start([spec_of(30, "policy", "policy"), spec_of(31, "random", "policy")])
    there.round()
    numbers = [game["spec"]["number"] for game in there.state_dict()["games"]]
    pool, _ = pool_in(tmp_path)
    pool.start(
        [
            spec
            for spec in [*specs(6), spec_of(30, "policy", "policy"), spec_of(31, "random", "policy")]
            if spec.number in numbers
        ]
    )
    pool.catch_up({number: 1 if number >= 30 else 2 for number in numbers})
    assert pool.state_dict() == there.state_dict()


def test_a_prompt_that_is_too_long_costs_its_own_game_only(tmp_path):
    """The others of its batch are answered; its record names both lengths."""
    pool, [backend] = pool_in(tmp_path)
    longest = max(len(request.prompt.text) for request in _first_requests(tmp_path))
    backend.context = longest - 1
    records, _ = play_out(pool, specs(40))
    assert any("a context of" in record.fault for record in records)
    assert any(not record.fault for record in records)


def _first_requests(folder):
    pool, [backend] = pool_in(folder)
    play_out(pool, specs(40))
    return [request for batch in backend.asked for request in batch]


def test_opponents_far_away_are_asked_side_by_side(tmp_path):
    """Four games wait for the network together: none is asked only after another has answered."""
    meet = threading.Barrier(4, timeout=20)

    class Far(Taker):
        def act(self, game, seed):
            meet.wait()
            return super().act(game, seed)

    settings = settings_in(tmp_path)
    far = type(settings)(settings.make_game, Far, settings.template, tmp_path)
    pool = LocalPool([Actor(Scripted())], far)
    pool.start([spec_of(number, "far", "policy") for number in range(4)])
    pool.close()
    assert pool.in_flight(TRAIN) == 4


def test_an_adapter_that_nobody_plays_is_forgotten_everywhere(tmp_path):
    """By its folder, at every actor."""
    pool, backends = pool_in(tmp_path, 2)
    pool.start([spec_of(0, "policy", "past")])
    assert pool.adapters() == {"adapters/past"}
    pool.forget(["adapters/past"])
    assert [backend.forgotten for backend in backends] == [[str(tmp_path / "adapters/past")]] * 2


def test_a_number_is_in_flight_once(tmp_path):
    """A second game of the same number is refused, and so is a pool that nobody answers in."""
    pool, _ = pool_in(tmp_path)
    pool.start([spec_of(0, "policy", "policy")])
    with pytest.raises(UsageError, match="Game 0 is in flight already"):
        pool.start([spec_of(0, "policy", "policy")])
    with pytest.raises(UsageError, match="at least one actor"):
        LocalPool([], settings_in(tmp_path))
