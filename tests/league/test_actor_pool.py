"""Several actors: who answers what, that the answers are the same ones, and on which devices."""

import threading

import pytest
import torch

from kit.errors import UnknownNameError, UsageError
from kit.league.actor import Actor
from kit.league.actor_pool import ActorPool, shares
from kit.league.collector import Workers
from kit.league.runtime import build
from kit.lm.generation import Prompt, Request
from tests.league.made_games import Scripted
from tests.league.small_player import AGAINST, small_settings


def asked(count, adapter=None, fixed="You play first."):
    """Return requests of one policy in one role."""
    return [Request(Prompt(fixed, f" {number}"), number, adapter=adapter) for number in range(count)]


def test_requests_are_shared_evenly_and_those_of_a_kind_stay_together():
    """Five of one policy and three of another in turn: the first actor has four of the one, the second the rest."""
    one, other = asked(5, "adapters/000001"), asked(3, "adapters/000002")
    mixed = [one[0], other[0], one[1], other[1], one[2], other[2], one[3], one[4]]
    assert shares(mixed, 2) == [[0, 2, 4, 6], [1, 3, 5, 7]]
    assert shares(mixed, 1) == [list(range(8))]
    assert sorted(place for share in shares(mixed, 3) for place in share) == list(range(8))
    assert [len(share) for share in shares(asked(2), 3)] == [0, 1, 1]


def test_answers_come_in_the_order_in_which_they_were_asked():
    """Whoever gave them; none of the actors was asked for more than its share."""
    requests = asked(7, "adapters/000001") + asked(6, fixed="You play second.")
    backends = [Scripted() for _ in range(3)]
    pool = ActorPool([Actor(backend) for backend in backends])
    assert pool.answer_each(requests) == Scripted().generate(requests)
    assert sorted(len(batch) for backend in backends for batch in backend.asked) == [4, 4, 5]
    assert pool.answer_each([]) == []


class Meeting(Scripted):
    """Answers only when all others are being asked too."""

    def __init__(self, meet):
        super().__init__()
        self.meet = meet

    def generate(self, requests):
        """Wait for the others."""
        self.meet.wait()
        return super().generate(requests)


def test_devices_of_their_own_answer_side_by_side_and_a_shared_one_in_turn():
    """On two GPUs neither waits for the other; two on a CPU would only be in each other's way."""
    meet = threading.Barrier(2, timeout=20)
    pool = ActorPool([Actor(Meeting(meet), device=f"cuda:{number}") for number in range(2)])
    assert pool.answer_each(asked(4)) == Scripted().generate(asked(4))
    pool.close()
    alone = threading.Barrier(2, timeout=0.05)
    pool = ActorPool([Actor(Meeting(alone)) for _ in range(2)])
    with pytest.raises(threading.BrokenBarrierError):
        pool.answer_each(asked(4))


def rows_of(folder, count=2, **more):
    """Return the rows of some updates, and the weights after them."""
    league = build(
        **small_settings(train_envs=[AGAINST], opponent_sampling_strategy="lagged", **more)
    ).parts.league(folder, Workers(10), 4)
    rows = [league.update() for _ in range(count)]
    weights = league.parts.learner.state_dict()["optimizers"]["policy"]["weights"]
    league.close()
    return rows, weights, league.state_dict()


ROUNDED = "learner/logprob_change"
"""The one number of a row that is made of what rounding does to answers."""


def test_two_actors_play_the_league_that_one_plays(tmp_path):
    """The same games and weights, bit for bit: tokens are the same, only log-probabilities are rounded anew."""
    rows, weights, state = rows_of(tmp_path / "one", devices=["cpu"])
    others, same, other = rows_of(tmp_path / "two", devices=["cpu", "cpu"])
    assert (state["actors"], other["actors"]) == (1, 2)
    rounded = [[row.pop(ROUNDED) for row in some] for some in (rows, others)]
    assert rows == others
    assert rounded[0] == pytest.approx(rounded[1], abs=1e-5)
    assert all(torch.equal(weight, same[name]) for name, weight in weights.items())


def test_other_devices_are_the_same_run_and_no_exact_one(tmp_path):
    """The number of actors is no setting; a league that goes on with another number says why it is not exact."""
    runs = [build(**small_settings(devices=devices)) for devices in ("cpu", ["cpu", "cpu"])]
    one, two = (run.config(Workers(10)) for run in runs)
    assert one == two
    leagues = [run.parts.league(tmp_path, Workers(10), 4) for run in runs]
    leagues[0].update()
    leagues[1].load_state_dict(leagues[0].state_dict())
    assert leagues[1].inexact == "requests were shared among 1 actors before, and now among 2"
    assert leagues[0].inexact is None
    assert build(**small_settings(dtype="bfloat16")).config(Workers(10)) != one


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_model_in_half_precision_learns_with_adapters_in_float32(tmp_path, dtype):
    """As on a GPU: weights in 16 bits, adapter and AdamW's means in 32, an adapter that moves, a finite loss."""
    run = build(**small_settings(dtype=dtype, devices=["cpu", "cpu"]))
    before = {name: one.clone() for name, one in _policy(run).parameters.items()}
    row = run.parts.league(tmp_path, Workers(10), 4).update()
    assert run.parts.lm.dtype == getattr(torch, dtype)
    assert {one.dtype for one in _policy(run).parameters.values()} == {torch.float32}
    assert 0 < row["learner/gradient_norm"] < 100
    assert any(not torch.equal(one, before[name]) for name, one in _policy(run).parameters.items())


def _policy(run):
    return run.parts.learner.optimizers["policy"]


def test_a_device_or_dtype_that_is_not_there_is_refused():
    """Named, with the nearest; a list without one says so too."""
    for wrong, said in (({"devices": "cuda:97"}, "cuda:97"), ({"devices": []}, "at least one device")):
        with pytest.raises(UsageError, match=said):
            build(**small_settings(**wrong))
    with pytest.raises(UnknownNameError, match="Did you mean 'float16'"):
        build(**small_settings(dtype="flaot16"))
