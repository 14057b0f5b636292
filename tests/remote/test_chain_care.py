"""A chain takes what is its own, counts what it paid, and has a run at home at every instant."""

import json
import shutil
from pathlib import Path

import pytest

from kit.errors import ConfigMismatchError, IntegrityError, RemoteBusyError, RemoteError
from kit.harness.verify import verify
from kit.notebooks.launch import Launch
from kit.remote import chain as chain_module
from kit.remote import chain_home
from kit.remote.chain import ChainOrder
from kit.remote.kernel import KernelOrder
from tests.remote.conftest import SLUG
from tests.remote.kaggle_server import Plan
from tests.remote.made_runs import PREFIX, TOTAL, files_of
from tests.remote.test_chain import Killed, notebook, order, paid, plans, run

__all__ = ["notebook", "order", "plans"]
pytestmark = pytest.mark.slow


def killed_at(monkeypatch, where, name: str) -> None:
    """Let a chain die when it comes to a function."""

    def kill(*_, **__):
        raise Killed

    monkeypatch.setattr(where, name, kill)


def test_a_version_that_somebody_else_pushed_is_not_brought_home(loopback, order, plans, runs):
    """The chain says what happened, and with --retry goes on from what is its own."""
    loopback.machine.plan(plans["stopped"])
    with pytest.MonkeyPatch.context() as patch:
        killed_at(patch, chain_home.Homecoming, "take")
        with pytest.raises(Killed):
            run(loopback, order)
    loopback.ran(plans["complete"])
    with pytest.raises(RemoteError, match="not the one that session 1 of this chain pushed"):
        run(loopback, order)
    assert not order.out.exists()
    loopback.machine.plan(plans["stopped"])
    found = run(loopback, order, retry=True, max_sessions=1)
    assert (found["status"], found["step"]) == ("stopped", 0)
    loopback.machine.plan(plans["complete"])
    assert run(loopback, order)["status"] == "complete"


def test_a_run_of_another_configuration_does_not_take_the_place_of_the_one_at_home(loopback, order, plans):
    """It is refused, and what is at home stays."""
    files = dict(plans["complete"].files)
    name = f"{PREFIX}/run.json"
    facts = json.loads(files[name])
    with pytest.MonkeyPatch.context() as patch:
        loopback.machine.plan(plans["stopped"], plans["complete"])
        run(loopback, order, max_sessions=1)
        ours = json.loads((order.out / "run.json").read_text())
        (order.out / "run.json").write_text(json.dumps({**ours, "config_hash": "0" * 64}))
        patch.setattr(chain_home, "_is_as_left", lambda *_: True)
        with pytest.raises(ConfigMismatchError):
            run(loopback, order, max_sessions=2)
    assert facts["config_hash"] == ours["config_hash"]
    assert json.loads((order.out / "summary.json").read_text())["status"] == "stopped"


def test_a_push_that_arrives_after_its_chain_was_killed_is_found(loopback, order, plans):
    """However long ago the intent is: the time for it to arrive counts from now."""
    loopback.machine.plan(plans["complete"])
    pushed = []

    def kill_before(client, ref, folder, mark, limit_s):
        pushed.append((folder, limit_s))
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain_module, "deliver", kill_before)
        with pytest.raises(Killed):
            run(loopback, order)
    state = order.out.with_name("run.chain") / "chain.json"
    facts = json.loads(state.read_text())
    facts["sessions"][0]["intended_at_s"] -= 3600
    state.write_text(json.dumps(facts))
    real, looks = chain_module.was_taken, []

    def arrives_late(client, ref, mark):
        looks.append(mark)
        found = real(client, ref, mark)
        if len(looks) == 1:
            client.push(*pushed[0])
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain_module, "was_taken", arrives_late)
        found = run(loopback, order)
    assert (found["status"], len(paid(loopback))) == ("complete", 1)


def test_a_notebook_that_failed_after_its_run_was_complete_has_failed(loopback, order, plans):
    """The run is at home, and nothing more is paid for."""
    plan = Plan(status="ERROR", failure_message="figures cell raised", files=plans["complete"].files)
    loopback.machine.plan(plan)
    found = run(loopback, order)
    assert (found["status"], found["step"], len(paid(loopback))) == ("failed", TOTAL, 1)
    assert "figures cell raised" in found["reason"]
    assert verify(order.out).ok
    assert run(loopback, order)["status"] == "failed"
    assert len(paid(loopback)) == 1


def test_a_session_that_hung_counts_as_long_as_it_may_have_taken(loopback, order, plans, notebook: Path):
    """Its log ends where it began to hang; the hours are gone all the same."""
    hung = Plan(status="CANCEL_ACKNOWLEDGED", files=plans["killed"].files)
    loopback.machine.plan(hung, plans["complete"])
    kernel = KernelOrder(notebook, "", slug=SLUG, gpu=True, session_limit_s=9 * 3600.0)
    found = run(loopback, order, kernel=kernel, max_gpu_hours=9.0)
    assert (found["status"], found["gpu_hours"], len(paid(loopback))) == ("stopped", 9.0, 1)
    assert "--max-gpu-hours allows 9" in found["reason"]


def test_a_chain_killed_while_runs_change_places_has_one_at_home_again(loopback, order, plans):
    """Even where the output of the newest version cannot be had any more."""
    loopback.machine.plan(plans["stopped"], plans["complete"])
    run(loopback, order, max_sessions=1)
    rename = Path.rename

    def kill_second(path: Path, target: Path) -> Path:
        if path.name == "incoming":
            raise Killed
        return rename(path, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", kill_second)
        with pytest.raises(Killed):
            run(loopback, order)
    assert not order.out.exists()
    loopback.server.misbehave.fail(times=6, call="ListKernelSessionOutput")
    with pytest.raises(RemoteError):
        run(loopback, order)
    assert json.loads((order.out / "summary.json").read_text())["status"] == "stopped"
    assert run(loopback, order)["status"] == "complete"
    assert verify(order.out).ok
    assert len(paid(loopback)) == 2
    assert [path.name for path in order.out.parent.iterdir() if path.name.startswith("run.old")] == []


def test_a_dataset_that_is_not_ready_in_time_is_waited_for_in_the_next_call(loopback, order, plans):
    """It is not uploaded again, and no session is pushed meanwhile."""
    loopback.machine.plan(plans["killed"], plans["complete"])
    loopback.server.misbehave.process_slowly(answers=7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kit.remote.checkpoint_dataset.READY_TRIES", 2)
        with pytest.raises(RemoteError, match="not ready"):
            run(loopback, order)
        assert len(paid(loopback)) == 1
    found = run(loopback, order)
    assert (found["status"], len(paid(loopback))) == ("complete", 2)
    assert len(loopback.server.calls("CreateDataset")) == 1
    assert not loopback.server.calls("CreateDatasetVersion")


def test_a_run_that_is_gone_from_home_is_told(loopback, order: ChainOrder, plans):
    """It cannot be handed over: no traceback, and what to do."""
    loopback.machine.plan(plans["stopped"], plans["lost"])
    run(loopback, order, max_sessions=1)
    shutil.rmtree(order.out)
    with pytest.raises(IntegrityError, match="gone: there is nothing to hand over"):
        run(loopback, order)


def test_a_source_of_the_users_own_that_kaggle_drops_ends_the_call(loopback, order, plans, notebook: Path):
    """The session is noted, since it runs; only the carried run can be handed over in another way."""
    loopback.machine.plan(plans["stopped"])
    kernel = KernelOrder(notebook, "", slug=SLUG, gpu=False, dataset_sources=("tester/gone-data",))
    with pytest.raises(RemoteError, match="gone-data"):
        run(loopback, order, kernel=kernel)
    state = json.loads((order.out.with_name("run.chain") / "chain.json").read_text())
    assert [one["stage"] for one in state["sessions"]] == ["pushed"]
    assert len(files_of(order.out)) == 0 if order.out.exists() else True


def test_a_dataset_whose_answer_is_lost_is_there(loopback, order, plans):
    """Made again its name is in use, which is no failure."""
    loopback.machine.plan(plans["killed"], plans["complete"])
    loopback.server.misbehave.lose_answer(times=1, call="CreateDataset")
    assert run(loopback, order)["status"] == "complete"
    assert len(paid(loopback)) == 2


def test_one_retry_is_enough_after_a_damaged_output(loopback, order, plans, monkeypatch):
    """The session is given up, and the next one is pushed in the same call."""
    loopback.machine.plan(plans["stopped"], plans["complete"])

    def damaged(*_):
        raise IntegrityError("It is damaged.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain_home.Pull, "run", damaged)
        with pytest.raises(IntegrityError):
            run(loopback, order)
        calls = []
        patch.setattr(chain_home.Pull, "run", lambda one: calls.append(1) or damaged())
        assert run(loopback, order, retry=True, max_sessions=1)["status"] == "stopped"
    assert run(loopback, order)["status"] == "complete"


def test_a_run_that_began_during_the_quick_test_is_seen(loopback, order, plans, monkeypatch):
    """The quick test took its time; nothing is pushed beside what somebody began meanwhile."""
    loopback.server.hold_queue()

    def look(*_, **__):
        request = {"slug": f"{loopback.server.user}/{SLUG}", "newTitle": SLUG, "text": "{}"}
        loopback.server.kernels.save(loopback.server.user, {**request, "kernelType": "notebook"})

    monkeypatch.setattr(chain_module, "look_before", look)
    with pytest.raises(RemoteBusyError):
        run(loopback, order, quick=Launch(order.kernel.notebook))
    assert len(loopback.server.calls("SaveKernel")) == 0
    loopback.server.release_queue()
    loopback.server.wait(SLUG)
