"""Games in ray actors: the same games as at home, whoever dies meanwhile."""

import os
import signal

import pytest

from kit.errors import GameError, UsageError
from kit.league.actor import Actor
from kit.league.collector import Workers
from kit.league.local import LocalPool
from kit.league.ray_backend import RayPool, RaySettings
from kit.league.runtime import build
from tests.league.made_games import Scripted, play_out, settings_in, spec_of
from tests.league.scripted_league import scripted_league
from tests.league.small_player import small_settings

PLAYERS = [("policy", "policy"), ("policy", "past"), ("random", "policy"), ("policy", "silent")]
SPECS = [spec_of(number, *PLAYERS[number % len(PLAYERS)]) for number in range(24)]


@pytest.fixture(scope="module")
def ray():
    """Ray, running on this machine with three cores, so that workers fit."""
    import ray

    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield ray
    ray.shutdown()


@pytest.fixture
def pool(ray, tmp_path):
    """Return a maker of pools, which are closed afterwards."""
    made = []

    def make(workers=2, backend=Scripted):
        made.append(RayPool(backend, settings_in(tmp_path), RaySettings(workers)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def at_home(folder):
    """Return a local pool."""
    return LocalPool([Actor(Scripted())], settings_in(folder))


def pid_of():
    """Return the process that this runs in."""
    return os.getpid()


def kill(ray, worker):
    """Kill a ray actor's process, as a machine out of memory does."""
    pid = ray.get(worker.__ray_call__.remote(lambda _: os.getpid()))
    os.kill(pid, signal.SIGKILL)


pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.mark.parametrize("workers", [1, 2])
def test_ray_plays_the_same_games(pool, tmp_path, workers):
    """Same records, same order, same number of rounds as in this process, with any number of workers."""
    assert play_out(pool(workers), SPECS) == play_out(at_home(tmp_path), SPECS)


def test_a_whole_league_over_ray_is_the_league_at_home(pool, tmp_path):
    """Rows of metrics, ratings and policies are identical."""
    far = scripted_league(tmp_path / "far", pool=pool())
    near = scripted_league(tmp_path / "near", pool=at_home(tmp_path))
    assert [far.update() for _ in range(4)] == [near.update() for _ in range(4)]
    assert far.parts.registry.ratings == near.parts.registry.ratings


def test_a_real_model_over_ray_is_the_one_at_home(ray, tmp_path):
    """The same games, as far as last bits let them, and rows to rounding: the adapter reaches the actor by disk."""
    found = []
    for name in ("local", "ray"):
        league = build(**small_settings(backend=name)).parts.league(tmp_path / name, Workers(10), 4)
        found.append([league.update() for _ in range(2)])
        league.close()
        assert (league.inexact is None) == (name == "local")
    for here, there in zip(*found, strict=True):
        assert there == pytest.approx(here, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_killed_worker_is_replaced_and_nothing_is_lost(ray, pool, tmp_path, after):
    """Its games are played again from their seeds: every record is as if it had lived."""
    wanted, rounds = play_out(at_home(tmp_path), SPECS)
    far = pool()
    far.start(SPECS)
    records = []
    for number in range(rounds):
        if number == after:
            kill(ray, far.workers[1])
        records += far.round()
    assert records == wanted
    assert far.replaced == 1


def test_a_worker_that_is_killed_again_as_it_comes_back_is_replaced_again(ray, pool, tmp_path):
    """Its successor dies before it has caught up, and nothing is lost; where all of them do, the run is told."""
    wanted, rounds = play_out(at_home(tmp_path), SPECS)
    far = pool()
    far.start(SPECS)
    make, short_lived = far._make, [1]

    def made():
        worker = make()
        if short_lived:
            short_lived.pop()
            kill(ray, worker)
        return worker

    far._make = made
    records = []
    for number in range(rounds):
        if number == 2:
            kill(ray, far.workers[1])
        records += far.round()
    assert records == wanted
    assert far.replaced == 2
    far.close()
    doomed = pool(1)
    doomed.start(SPECS)
    make, short_lived = doomed._make, [1] * 20
    doomed._make = made
    kill(ray, doomed.workers[0])
    with pytest.raises(GameError, match="Ray worker 0 died 3 times in a row"):
        doomed.round()


def test_games_begun_at_a_dead_worker_are_begun_at_its_successor(ray, pool, tmp_path):
    """Once, and not twice."""
    far, near = pool(), at_home(tmp_path)
    for one in (far, near):
        one.start(SPECS[:6])
        one.round()
    kill(ray, far.workers[0])
    more = [spec_of(number, "policy", "policy") for number in range(50, 56)]
    assert play_out(far, more, 300)[0] == play_out(near, more, 300)[0]


def test_a_pool_comes_back_at_home_or_away(ray, pool, tmp_path):
    """A checkpoint of one kind of pool is one of the other, with any number of workers; also past another death."""
    near = at_home(tmp_path)
    near.start(SPECS)
    near.round()
    far = pool(2)
    far.load_state_dict(near.state_dict())
    assert far.state_dict() == near.state_dict()
    assert far.round() == near.round()
    kill(ray, far.workers[0])
    assert far.round() == near.round()
    assert far.state_dict() == near.state_dict()
    third = pool(3)
    third.load_state_dict(far.state_dict())
    assert third.adapters() == near.adapters()
    far.close()
    for _ in range(10):
        assert third.round() == near.round()


def test_more_cores_than_there_are_is_an_error_and_no_wait(pool, ray, tmp_path):
    """Ray would wait for ever for a worker that fits nowhere."""
    far = RayPool(Scripted, settings_in(tmp_path), RaySettings(8))
    with pytest.raises(UsageError, match="8 ray workers of 1 CPU each want 8"):
        far.start(SPECS[:1])
    assert far.workers == ()


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"cpus": -1.0}, {"gpus": -0.5}])
def test_ray_settings_that_cannot_be_are_refused(wrong):
    """Each names itself."""
    with pytest.raises(UsageError, match=next(iter(wrong))):
        RaySettings(**wrong)
