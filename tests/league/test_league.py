"""The league: an update, and a league that is interrupted at any of them."""

import json
import shutil

import pytest

from kit.errors import DivergenceError, IntegrityError, UsageError
from kit.harness.archive import package
from kit.harness.cadence import Cadence
from kit.harness.verify import verify
from kit.league.collector import Workers
from kit.league.league import LeagueSettings
from kit.league.results import results
from kit.league.under_session import learn
from kit.session import TrainingSession
from kit.tensors import decode, encode
from tests.league.made_games import Scripted
from tests.league.scripted_league import Learner, scripted_league

UPDATES = 7


def adapters(root):
    """Return what lies on the shelf: names and contents."""
    return {path.parent.name: path.read_text() for path in sorted((root / "adapters").glob("*/weight.json"))}


def test_an_update_plays_learns_and_enters_the_new_policy(tmp_path):
    """The row has what the games and the learner came to; the policy is saved, registered, and plays next."""
    league = scripted_league(tmp_path)
    row = league.update()
    assert row["train/games"] > 0
    assert row["learner/loss"] == -league.parts.learner.weight
    assert league.parts.registry.current == "policy-1"
    assert league.parts.registry.entry("policy-1").path == "adapters/000001"
    assert adapters(tmp_path) == {"000001": json.dumps(league.parts.learner.weight)}
    begun = {game["spec"]["number"] for game in league.parts.collector.pool.state_dict()["games"]}
    league.update()
    specs = [game["spec"] for game in league.parts.collector.pool.state_dict()["games"]]
    fresh = [spec for spec in specs if spec["number"] not in begun]
    assert {one["adapter"] for spec in fresh for one in spec["players"] if one["learns"]} == {
        "adapters/000001"
    }


def test_evaluation_comes_every_so_many_updates_and_at_the_end(tmp_path):
    """Its scores are in the row of its update only, by game and opponent."""
    league = scripted_league(tmp_path, eval_every=2)
    rows = [league.update(last=number == 5) for number in range(1, 6)]
    scored = [sorted(name for name in row if name.startswith("eval_score/")) for row in rows]
    both = ["eval_score/Countdown/far", "eval_score/Countdown/low"]
    assert scored == [[], both, [], both, both]
    assert rows[-1]["eval/games"] == 30
    assert league.evaluation["games"] == 10
    assert len(league.evaluation["transcripts"]) == 6


@pytest.mark.parametrize("at", range(UPDATES))
def test_an_interrupted_league_ends_as_if_it_had_not_been(tmp_path, at):
    """Rows, ratings, adapters and the whole state, bit for bit, from whichever update it goes on."""
    one = scripted_league(tmp_path / "one")
    other = scripted_league(tmp_path / "other")
    rows = [one.update() for _ in range(UPDATES)]
    assert [other.update() for _ in range(at)] == rows[:at]
    saved = encode(other.state_dict())
    for _ in range(2):  # a future that is lost
        other.update()
    again = scripted_league(tmp_path / "other")
    again.load_state_dict(decode(saved))
    assert [again.update() for _ in range(at, UPDATES)] == rows[at:]
    assert encode(again.state_dict()) == encode(one.state_dict())
    assert again.parts.registry.ratings == one.parts.registry.ratings
    ours, theirs = adapters(tmp_path / "other"), adapters(tmp_path / "one")
    assert {name: ours[name] for name in theirs} == theirs
    assert results(again) == results(one)


def test_policies_of_a_lost_future_are_gone_after_a_resume(tmp_path):
    """A newer adapter on disk than the checkpoint knows would be taken for one of this run."""
    league = scripted_league(tmp_path)
    league.update()
    saved = league.state_dict()
    league.update()
    league.update()
    assert set(adapters(tmp_path)) == {"000001", "000002", "000003"}
    future = adapters(tmp_path)["000002"]
    backend = Scripted()
    again = scripted_league(tmp_path, learner=Learner(), backend=backend)
    again.load_state_dict(saved)
    again.parts.learner.weight += 1.0  # so that its policies are others
    again.update()
    assert set(adapters(tmp_path)) == {"000001", "000002"}
    assert adapters(tmp_path)["000002"] != future
    # A backend that was there before the resume may hold them.
    assert {str(tmp_path / "adapters" / name) for name in ("000002", "000003")} <= set(backend.forgotten)


def test_a_resume_without_its_policies_is_refused(tmp_path):
    """It says which are missing."""
    league = scripted_league(tmp_path)
    league.update()
    saved = league.state_dict()
    (tmp_path / "adapters/000001/weight.json").write_text("0")
    with pytest.raises(IntegrityError, match="adapters/000001"):
        scripted_league(tmp_path).load_state_dict(saved)


def test_the_shelf_does_not_grow_with_the_run(tmp_path):
    """Two lags back, those of games in flight, and those of the last checkpoints: what has left is forgotten."""
    league = scripted_league(tmp_path, eval_every=0)
    most = 0
    for _ in range(20):
        league.update()
        league.state_dict()
        most = max(most, len(adapters(tmp_path)))
    assert most <= 10
    assert "000020" in adapters(tmp_path)


def test_a_loss_that_is_no_number_ends_the_run_with_the_policy_before(tmp_path):
    """The batch is named; nothing new is registered, and the adapters are those of before."""
    league = scripted_league(tmp_path, learner=Learner(breaks_at=2))
    league.update()
    league.update()
    with pytest.raises(DivergenceError, match="The loss is nan in games"):
        league.update()
    assert league.iteration == 2
    assert league.parts.registry.current == "policy-2"
    assert set(adapters(tmp_path)) == {"000001", "000002"}


def opened(out, total=UPDATES, **more):
    """Open a session for a scripted league."""
    options = {"out": out, "throttle": False, "cadence": Cadence(checkpoint_every_steps=1), **more}
    return TrainingSession.open("scripted", total_timesteps=total, config={"seed": 7}, **options)


def test_a_league_stopped_under_a_session_goes_on_exactly(tmp_path):
    """metrics.csv, adapters and ratings of a run in three sessions are those of a run in one."""
    for name, stops in (("one", ()), ("three", (2, 5))):
        for stop in (*stops, None):
            with opened(tmp_path / name) as session:
                league = scripted_league(session.folder.root)
                update = league.update

                def counted(*, last=False, update=update, league=league, session=session, stop=stop):
                    row = update(last=last)
                    if league.iteration == stop:
                        session.pace.wish = "the test says so"
                    return row

                league.update = counted
                learn(session, league)
                assert session.trained == (stop is None)
                if session.trained:
                    session.save_results(results(league))
    for name in ("metrics.csv", "results.json"):
        assert (tmp_path / "three" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    assert (tmp_path / "one/metrics.csv").read_text().count("\n") == UPDATES + 1
    newest = max(adapters(tmp_path / "one"))
    assert adapters(tmp_path / "three")[newest] == adapters(tmp_path / "one")[newest]


def test_a_quick_test_measures_every_phase(tmp_path):
    """Rollout, update and evaluation are in the plan, and each is measured."""
    with opened(tmp_path / "quick", 200, quick_test=True) as session:
        learn(session, scripted_league(session.folder.root, eval_every=50))
        phases = {row["name"]: row["count"] for row in session.timer.rows()}
    assert session.trained
    assert (phases["rollout"], phases["update"], phases["evaluate"]) == (10, 10, 10)
    plan = session.planner.plan
    assert [plan.count(name, 200, {}) for name in ("rollout", "update", "evaluate")] == [200, 200, 40]


def stopped(out, at):
    """Have a league end its session after this update."""
    with opened(out) as session:
        league = scripted_league(session.folder.root)
        update = league.update

        def counted(*, last=False):
            session.outputs.settle()  # so that every update has its checkpoint, however slow the disk
            row = update(last=last)
            if league.iteration == at:
                session.pace.wish = "the test says so"
            return row

        league.update = counted
        learn(session, league)


def damage(file):
    """Change the last byte of a file."""
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))


def test_a_damaged_policy_makes_the_run_fall_back_on_the_checkpoint_before(tmp_path):
    """It is verify's to find; the one before goes on, in the folder or taken from an archive, to the same bits."""
    stopped(tmp_path / "one", UPDATES)
    stopped(tmp_path / "other", 4)
    root = tmp_path / "other"
    damage(root / "adapters/000004/weight.json")
    assert "checkpoints/step-000000004/adapters/000004/weight.json" in verify(root).bad
    (tmp_path / "inputs").mkdir()
    shutil.copy(package(root).path, tmp_path / "inputs")  # made anew, with the damaged file
    assert verify(tmp_path / "inputs/artifacts.zip").bad == ["adapters/000004/weight.json"]
    for out, more in ((tmp_path / "taken", {"inputs": tmp_path / "inputs"}), (root, {})):
        with opened(out, **more) as session:
            learn(session, scripted_league(session.folder.root))
            assert session.entry.first_step == 3
            assert session.trained
        assert (out / "metrics.csv").read_bytes() == (tmp_path / "one/metrics.csv").read_bytes()
        assert verify(out).ok
    newest = max(adapters(root))
    assert adapters(root)[newest] == adapters(tmp_path / "one")[newest]


def test_where_no_checkpoint_has_its_policies_nothing_is_changed(tmp_path):
    """The error names the files; a link in the way is no policy of this run either."""
    stopped(tmp_path / "run", 4)
    shelf = tmp_path / "run/adapters"
    shelf.rename(tmp_path / "elsewhere")
    shelf.symlink_to(tmp_path / "elsewhere")
    before = (tmp_path / "run/metrics.csv").read_bytes()
    with pytest.raises(IntegrityError, match="adapters is a link"), opened(tmp_path / "run") as session:
        learn(session, scripted_league(session.folder.root))
    assert (tmp_path / "run/metrics.csv").read_bytes() == before


@pytest.mark.parametrize(
    "wrong", [{"batch_size": 0}, {"eval_every": -1}, {"eval_games": -1}, {"eval_workers": 0}]
)
def test_settings_that_cannot_be_are_refused(wrong):
    """Each names itself."""
    with pytest.raises(UsageError, match=next(iter(wrong))):
        LeagueSettings(**{"batch_size": 1, "workers": Workers(1), **wrong})
