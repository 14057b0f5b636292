"""Pickled state from elsewhere is opened only when its user says so; everything else needs no trust."""

import base64
import hashlib
import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from stable_baselines3 import A2C
from stable_baselines3.common.vec_env import DummyVecEnv

from kit import TrainingSession
from kit.errors import IntegrityError, UntrustedError
from kit.harness.manifest import MANIFEST, FileRecord, read_manifest
from kit.report.process import ReportProcess
from kit.sb3 import learn
from kit.sb3.environment_state import EnvironmentState
from kit.tensors import STATE_FILE
from kit.trust import pickled_in


class Payload:
    """What unpickles by writing a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without figures and page."""
    monkeypatch.setattr(ReportProcess, "_ask", lambda *_: False)


def train(out: Path, **options: Any) -> dict[str, Any]:
    """Run a session that keeps an environment by pickle, and return the summary."""
    with TrainingSession.open("cart", total_timesteps=20, config={"seed": 0}, out=out, **options) as session:
        state = EnvironmentState(DummyVecEnv([lambda: gymnasium.make("CartPole-v1")]))
        assert state.method == "pickle"
        restored = session.restore()
        if restored is not None:
            assert state.restore(restored["model"]["environment"])
        session.training_done(20, lambda: {"model": {"environment": state.capture()}})
        return session.close()


def newest(out: Path) -> Path:
    """Return the newest checkpoint of a run."""
    return max((out / "checkpoints").glob("step-*"))


def rewrite(folder: Path, change: Any) -> None:
    """Change the state of a checkpoint, and make its manifest anew, proof of origin and all but the key."""
    state = json.loads((folder / STATE_FILE).read_text())
    change(state)
    data = json.dumps(state).encode()
    (folder / STATE_FILE).write_bytes(data)
    before = read_manifest(folder)
    record = FileRecord(STATE_FILE, len(data), hashlib.sha256(data).hexdigest())
    files = tuple(record if file.name == STATE_FILE else file for file in before.files)
    (folder / MANIFEST).write_bytes(replace(before, files=files).encode())


def kept(out: Path) -> dict[str, bytes]:
    """Return what a run folder holds, but for its log and what processes share."""
    files = (path for path in out.rglob("*") if path.is_file())
    named = {path.relative_to(out).as_posix(): path.read_bytes() for path in files}
    return {name: data for name, data in named.items() if not name.startswith((".kit/", "logs/"))}


def test_own_runs_continue_and_those_from_elsewhere_need_trust(tmp_path, monkeypatch):
    """The same folder: continued by this user's key, refused with nothing changed under another, opened with trust."""
    out = tmp_path / "run"
    assert train(out)["status"] == "complete"
    assert train(out)["status"] == "complete"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another-machine"))
    before = kept(out)
    with pytest.raises(UntrustedError, match="--trust") as caught:
        train(out)
    assert str(newest(out)) in str(caught.value)
    assert (caught.value.exit_code, caught.value.nearest) == (2, "--trust")
    assert kept(out) == before
    assert train(out, trust=True)["status"] == "complete"


def test_a_tampered_pickle_is_not_run(tmp_path):
    """A payload under a manifest made anew, with the old proof of origin, is refused and never unpickled."""
    out, marker = tmp_path / "run", tmp_path / "it-ran"
    train(out)

    def tamper(state: Any) -> None:
        payload = base64.b64encode(pickle.dumps(Payload(marker))).decode()
        state["tree"]["model"]["environment"] = {"method": "pickle", "envs": {"$bytes": payload}}

    for folder in (out / "checkpoints").glob("step-*"):
        rewrite(folder, tamper)
    with pytest.raises(UntrustedError):
        train(out)
    assert not marker.exists()


def test_a_manifest_is_verified_before_anything_is_unpickled(tmp_path):
    """Without a manifest that fits, the payload does not even reach the question of trust."""
    out, marker = tmp_path / "run", tmp_path / "it-ran"
    train(out)
    for folder in (out / "checkpoints").glob("step-*"):
        (folder / STATE_FILE).write_bytes(pickle.dumps(Payload(marker)))
    with pytest.raises(IntegrityError, match="can be read"):
        train(out, trust=True)
    assert not marker.exists()


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["tensors", "counters", "environment"])
def test_a_state_without_its_parts_is_an_integrity_error(tmp_path, lost):
    """A state whose sums are right and that is none is named, and no traceback of something else."""

    def train_a2c() -> None:
        options: dict[str, Any] = {
            "total_timesteps": 20,
            "config": {"seed": 0},
            "out": tmp_path,
            "trust": True,
        }
        with TrainingSession.open("cart", **options) as session:
            learn(
                session,
                A2C,
                "MlpPolicy",
                lambda: gymnasium.make("CartPole-v1"),
                policy_kwargs={"net_arch": [4]},
            )

    train_a2c()
    for folder in (tmp_path / "checkpoints").glob("step-*"):
        rewrite(folder, lambda state: state["tree"]["model"].pop(lost))
    with pytest.raises(IntegrityError, match="step-"):
        train_a2c()


@pytest.mark.parametrize("lost", ["trained", "tree"])
def test_what_is_no_state_of_a_run_is_passed_over(tmp_path, lost):
    """The newest is not readable: the run goes on from the one before, or from the start."""
    out = tmp_path / "run"
    train(out)
    for folder in (out / "checkpoints").glob("step-*"):
        rewrite(folder, lambda state: state.pop(lost))
    assert train(out, trust=True)["status"] == "complete"


def test_a_state_without_pickle_needs_no_trust(tmp_path, monkeypatch):
    """A loop of one's own continues on another machine without --trust."""

    def count() -> int:
        with TrainingSession.open(
            "own", total_timesteps=5, config={"seed": 0}, out=tmp_path / "own"
        ) as session:
            return len(list(session.steps()))

    assert count() == 5
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another-machine"))
    assert count() == 0


@pytest.mark.parametrize("name", ["config", "declared", "scalings", "total_timesteps"])
def test_a_run_record_of_something_else_is_an_integrity_error(tmp_path, name):
    """A run.json from elsewhere whose values are of other kinds is named, and its folder stays as it was."""
    facts = {"config_hash": "h", "quick_test": False, name: "evil"}
    (tmp_path / "run.json").write_text(json.dumps(facts))
    with pytest.raises(IntegrityError, match=name):
        train(tmp_path)
    assert json.loads((tmp_path / "run.json").read_text()) == facts


def test_pickled_state_is_found_wherever_it_is():
    """In dicts, lists and tuples, at any depth; what is not marked is none."""
    assert pickled_in({"a": [1, ({"method": "pickle"},)]}) == "a/1/0"
    assert pickled_in({"method": "pickle"}) == "the state"
    assert pickled_in({"a": {"method": "get_state"}, "b": b"pickle"}) is None


def test_a_run_taken_over_from_attached_inputs_is_no_machines_own(tmp_path, monkeypatch):
    """Another session's key died with it: its pickled state is refused after the taking over, and opened with trust."""
    assert train(tmp_path / "input/first/cart")["status"] == "complete"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another-machine"))
    with pytest.raises(UntrustedError, match="--trust"):
        train(tmp_path / "second", inputs=tmp_path / "input")
    assert train(tmp_path / "second", inputs=tmp_path / "input", trust=True)["status"] == "complete"
