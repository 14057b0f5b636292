"""A chain pays for as many sessions as the run needs, for none twice, and for none that brings nothing."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.errors import (
    ConfigMismatchError,
    QuotaError,
    RemoteBusyError,
    RemoteError,
    RunLockedError,
    UsageError,
)
from kit.harness.clock import ManualClock
from kit.harness.verify import verify
from kit.remote import chain as chain_module
from kit.remote.chain import Chain, ChainOrder
from kit.remote.chain_state import ChainFolder, ChainSession, ChainState, read_state, write_state
from kit.remote.kernel import KernelOrder
from tests.remote.conftest import SLUG, Loopback
from tests.remote.kaggle_server import Plan
from tests.remote.made_runs import KILLED_AT, TOTAL, files_of

NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "id": "parameters",
            "metadata": {"tags": ["parameters"]},
            "execution_count": None,
            "outputs": [],
            "source": "seed = 1\n",
        }
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


class Killed(BaseException):
    """The process is gone: nothing after this runs."""


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """The notebook that is pushed; what it would do, the machine's plans say."""
    path = tmp_path / "walk.ipynb"
    path.write_text(json.dumps(NOTEBOOK))
    return path


@pytest.fixture
def order(notebook: Path, tmp_path: Path) -> ChainOrder:
    """A chain without a quick test, which asks without waiting."""
    return ChainOrder(
        KernelOrder(notebook, "", slug=SLUG, gpu=False), tmp_path / "there" / "run", every_s=15.0
    )


@pytest.fixture
def plans(loopback: Loopback, runs: dict[str, Path]) -> dict[str, Plan]:
    """How a session may end."""
    stopped, killed, complete = (files_of(runs[name]) for name in ("stopped", "killed", "complete"))
    found = {
        "stopped": Plan(files=stopped),
        "killed": Plan(status="CANCEL_ACKNOWLEDGED", files=killed),
        "complete": Plan(files=complete),
        "lost": Plan(status="CANCEL_ACKNOWLEDGED"),
        "failed": Plan(status="ERROR", failure_message="a bug"),
    }
    loopback.machine.plan(*(found[name] for name in ("stopped", "killed", "complete")))
    return found


def run(loopback: Loopback, order: ChainOrder, **how: Any) -> dict[str, Any]:
    """Call the chain once."""
    values, clock, client = {**vars(order), **how}, ManualClock(), loopback.client()

    def pause(seconds: float) -> None:
        clock.advance(seconds)
        loopback.pause(seconds)

    object.__setattr__(client.backoff, "pause", pause)
    return Chain(client, ChainOrder(**values), clock=clock).run()


def paid(loopback: Loopback) -> list[dict[str, Any]]:
    """Return the metadata of every session that was paid for."""
    return [dict(ran.metadata) for ran in loopback.machine.ran]


@pytest.mark.slow
def test_three_sessions_make_one_run(loopback, order, plans):
    """Stopped in time, killed, complete: handed over by the version, then by a dataset, and all of it at home."""
    found = run(loopback, order)
    assert (found["status"], found["step"], len(found["sessions"])) == ("complete", TOTAL, 3)
    assert [one["carry"] for one in found["sessions"]] == ["none", "kernel", "dataset"]
    assert [one["from_step"] for one in found["sessions"]] == [0, 11, KILLED_AT]
    assert [one["without_sources"] for one in found["sessions"]] == [False, False, False]
    first, second, third = loopback.machine.ran
    assert first.inputs == {}
    assert list(second.inputs["the-walk"].rglob("run.json"))
    (unpacked,) = third.inputs["the-walk-state"].rglob("checkpoints")
    assert f"step-{KILLED_AT:09d}" in [path.name for path in unpacked.iterdir()]
    assert "must_resume" not in first.code
    assert "must_resume" in second.code
    assert "must_resume" in third.code
    assert verify(order.out).ok


@pytest.mark.slow
def test_a_complete_chain_called_again_pays_for_nothing(loopback, order, plans):
    """It does not even ask for a session."""
    loopback.machine.plan(plans["complete"])
    run(loopback, order)
    found = run(loopback, order)
    assert (found["status"], len(paid(loopback))) == ("complete", 1)


POINTS = ["deliver", "after delivery", "until_ended", "take", "after taking", "send", "after sending"]


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_chain_killed_at_any_point_and_called_again_pays_no_session_twice(
    loopback, order, plans, point, monkeypatch
):
    """Killed there in every session, it still ends with three sessions and the complete run."""
    killing = Killing(monkeypatch, point)
    for _ in range(20):
        try:
            found = run(loopback, order)
            break
        except Killed:
            continue
    else:
        pytest.fail("the chain never ended")
    assert killing.kills >= (1 if "send" in point else 3)
    assert (found["status"], found["step"]) == ("complete", TOTAL)
    assert len(paid(loopback)) == 3
    assert verify(order.out).ok


class Killing:
    """Kills the chain right before or after the thing named, in each session."""

    def __init__(self, patch: pytest.MonkeyPatch, point: str) -> None:
        self.kills = 0
        name = {"after delivery": "deliver", "after taking": "take", "after sending": "send"}.get(
            point, point
        )
        after = point.startswith("after")
        from kit.remote import chain_home
        from kit.remote.waiting import Waiting

        where: Any = {
            "deliver": chain_module,
            "until_ended": Waiting,
            "take": chain_home.Homecoming,
            "send": chain_home,
        }[name]
        real: Callable[..., Any] = getattr(where, name)
        calls = 0

        def killed(*given: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls % 2 == 0 and point != "after delivery":  # that one is not done again
                return real(*given, **named)
            if after:
                real(*given, **named)
            self.kills += 1
            raise Killed

        patch.setattr(where, name, killed)


@pytest.mark.slow
def test_a_session_that_brought_nothing_is_the_last(loopback, order, plans):
    """No other is paid for, until somebody says so."""
    loopback.machine.plan(plans["failed"], plans["complete"])
    found = run(loopback, order)
    assert (found["status"], len(paid(loopback))) == ("failed", 1)
    assert "brought nothing: ERROR (a bug)" in found["reason"]
    assert run(loopback, order)["status"] == "failed"
    assert len(paid(loopback)) == 1
    assert run(loopback, order, retry=True)["status"] == "complete"


@pytest.mark.slow
def test_a_lost_output_costs_its_session_and_no_more(loopback, order, plans):
    """What is at home goes up as a dataset, and the next session continues that."""
    loopback.machine.plan(plans["stopped"], plans["lost"], plans["complete"])
    assert run(loopback, order)["status"] == "failed"
    found = run(loopback, order, retry=True)
    assert found["status"] == "complete"
    assert [one["carry"] for one in found["sessions"]] == ["none", "kernel", "dataset"]
    assert found["sessions"][2]["from_step"] == 11


@pytest.mark.slow
def test_limits_end_it_resumable_and_a_higher_one_goes_on(loopback, order, plans):
    """Sessions are counted over all calls."""
    found = run(loopback, order, max_sessions=1)
    assert (found["status"], len(paid(loopback))) == ("stopped", 1)
    assert "--max-sessions allows 1" in found["reason"]
    assert run(loopback, order, max_sessions=3)["status"] == "complete"


@pytest.mark.slow
def test_gpu_hours_bound_the_sessions(loopback, order, plans, notebook):
    """A session gets no longer limit than the account's hours that are left, and none where they are too few."""
    gpu = KernelOrder(notebook, "", slug=SLUG, gpu=True)
    loopback.server.quota.charge(28 * 3600)
    loopback.machine.plan(plans["complete"])
    assert run(loopback, order, kernel=gpu)["status"] == "complete"
    assert loopback.machine.ran[0].limit_s == 2 * 3600
    loopback.server.quota.charge(2 * 3600 - 60)
    with pytest.raises(QuotaError, match="until 2026-11-28"):
        run(loopback, order, kernel=gpu, fresh=True)
    assert len(paid(loopback)) == 1


@pytest.mark.slow
def test_a_kernel_that_runs_is_left_alone(loopback, order, plans):
    """Somebody else pushed it: nothing is pushed beside it."""
    loopback.server.hold_queue()
    request = {
        "slug": f"{loopback.server.user}/{SLUG}",
        "newTitle": SLUG,
        "text": "{}",
        "kernelType": "notebook",
    }
    loopback.server.kernels.save(loopback.server.user, request)
    with pytest.raises(RemoteBusyError):
        run(loopback, order)
    loopback.server.release_queue()
    loopback.server.wait(SLUG)
    assert len(paid(loopback)) == 1


@pytest.mark.slow
def test_a_source_that_kaggle_drops_costs_one_short_session(loopback, order, plans, monkeypatch):
    """The run is handed over by a dataset then."""
    loopback.machine.plan(plans["stopped"], plans["failed"], plans["complete"])
    monkeypatch.setattr(loopback.server.kernels, "mountable", lambda *_: None)
    found = run(loopback, order)
    assert found["status"] == "complete"
    assert [one["carry"] for one in found["sessions"]] == ["none", "kernel", "dataset"]
    assert found["sessions"][1]["without_sources"]


@pytest.mark.slow
def test_an_unreachable_kaggle_leaves_the_chain_as_it_is(loopback, order, plans):
    """The same call goes on later."""
    loopback.server.misbehave.fail(times=6, call="ListKernelSessionOutput")
    with pytest.raises(RemoteError, match="Tried 6 times"):
        run(loopback, order)
    assert run(loopback, order)["status"] == "complete"
    assert len(paid(loopback)) == 3


def test_a_folder_that_holds_something_is_refused(loopback, order):
    """Nothing is pushed, and nothing is touched."""
    order.out.mkdir(parents=True)
    (order.out / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="--fresh"):
        run(loopback, order)


def test_a_chain_of_other_settings_is_refused(tmp_path):
    """The message names what differs."""
    path = tmp_path / "chain.json"
    write_state(path, ChainState({"kernel": "a/b", "values": {"seed": 1}}))
    with pytest.raises(ConfigMismatchError, match="values") as caught:
        read_state(path, {"kernel": "a/b", "values": {"seed": 2}})
    assert caught.value.differences == {"values": ({"seed": 1}, {"seed": 2})}


def test_a_state_comes_back_as_it_was(tmp_path):
    """Every session with all that is known of it."""
    state = ChainState(
        {"kernel": "a/b"}, [ChainSession(1, "m", 1.0, 0, stage="ended", gpu_hours=0.5)], home_step=7
    )
    write_state(tmp_path / "chain.json", state)
    assert read_state(tmp_path / "chain.json", {"kernel": "a/b"}) == state
    assert state.gpu_hours == 0.5


def test_one_process_works_on_a_chain(loopback, order):
    """The second is told the first one's id."""
    from kit.harness.lock import FileLock

    lock = FileLock(ChainFolder(order.out).lock).acquire()
    with pytest.raises(RunLockedError, match=f"{os.getpid()}|this process"):
        run(loopback, order)
    lock.release()
