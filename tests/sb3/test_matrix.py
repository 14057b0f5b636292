"""Every algorithm, with its environments, wrappers and noise, resumes to the last bit; each item of it is needed."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kit import TrainingSession
from kit.errors import IntegrityError
from kit.harness.verify import verify
from kit.report.process import ReportProcess
from kit.sb3 import load_best_normalisation
from kit.sb3.state import VERIFIED, ExactState
from kit.tensors import snapshot
from tests.crash.runs import assert_sound, without_clock_times
from tests.sb3.matrix import CELLS, CUTS, SETTINGS, STEPS, VARIANTS, Cell, make_env, train

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = [
    Cell("RecurrentPPO", 4, True),
    Cell("TD3", 4, True, "ornstein-uhlenbeck"),
    Cell("SAC", 1, False, "gsde"),
]


@pytest.fixture
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sessions in this process do without figures and page; they are no part of what is compared."""
    monkeypatch.setattr(ReportProcess, "_ask", lambda *_: False)


def train_apart(out: Path, cells: list[str], *arguments: str) -> dict[str, list[Any]]:
    """Train cells one after another in a process of their own."""
    command = [sys.executable, "-m", "tests.sb3.matrix", str(out), *arguments, "--cells", *cells]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, list[Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All cells that are asked for: whole in one process; cut twice, and ended, in one process for each session."""
    items = [getattr(item, "callspec", None) for item in request.session.items]
    asked = {str(spec.params["cell"]) for spec in items if spec and "cell" in spec.params}
    cells = [str(cell) for cell in CELLS if str(cell) in asked]
    folder = tmp_path_factory.mktemp("matrix")
    whole = train_apart(folder / "whole", cells)
    cuts = [train_apart(folder / "cut", cells, "--cut", str(cut)) for cut in range(CUTS)]
    return {"folder": folder, "whole": whole, "cuts": cuts, "cut": train_apart(folder / "cut", cells)}


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_cut_twice_and_continued_in_fresh_processes_it_ends_the_same(trained, cell):
    """Weights, metrics.csv and the last checkpoint are those of the run that nobody touched, and it said so before."""
    name = str(cell)
    for cut, at in zip(trained["cuts"], cell.cuts, strict=True):
        status, step, weights, _ = cut[name]
        assert (status, at <= step < STEPS) == ("stopped", True)
        assert weights != trained["whole"][name][2]
    assert trained["whole"][name][0] == "complete"
    assert trained["whole"][name][3] is True
    assert trained["cut"][name] == trained["whole"][name]
    assert_same_end(trained["folder"] / "whole" / name, trained["folder"] / "cut" / name)


def assert_same_end(whole: Path, cut: Path) -> None:
    """Rows and last checkpoint of two runs agree, but for clock times."""
    assert (cut / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()
    assert without_clock_times(cut) == without_clock_times(whole)
    assert_sound(cut)


@pytest.mark.usefixtures("_undrawn")
@pytest.mark.parametrize("sample", SAMPLE, ids=str)
def test_a_sample_of_the_matrix_in_fresh_objects(tmp_path, sample):
    """The memory of a recurrent policy, the noise of each environment, gSDE's matrices and wrappers come back."""
    whole = train(sample, tmp_path / "whole")
    assert (whole[0], whole[3]) == ("complete", True)
    assert train(sample, tmp_path / "cut", sample.cuts[0])[0] == "stopped"
    assert train(sample, tmp_path / "cut") == whole
    assert_same_end(tmp_path / "whole", tmp_path / "cut")


ITEMS: list[tuple[Cell, str]] = [
    (Cell("DQN", 1, True), "torch/policy"),
    (Cell("DQN", 1, True), "torch/policy.optimizer"),
    (Cell("SAC", 1, False), "tensors/log_ent_coef"),
    (Cell("SAC", 1, False), "torch/ent_coef_optimizer"),
    (Cell("DQN", 1, True), "counters/_n_calls"),
    (Cell("DQN", 1, False, "schedule"), "counters/exploration_rate"),
    (Cell("DQN", 1, True), "observed/_last_obs"),
    (Cell("DQN", 1, True), "observed/_last_original_obs"),
    (Cell("PPO", 4, True), "episodes"),
    (Cell("DQN", 1, True), "replay"),
    (Cell("PPO", 4, True), "environment"),
    (Cell("PPO", 4, True), "wrappers/0/state/obs_rms"),
    (Cell("PPO", 4, True), "wrappers/0/state/ret_rms"),
    (Cell("PPO", 4, True), "wrappers/0/state/returns"),
    (Cell("PPO", 4, True), "wrappers/1/state/episode_returns"),
    (Cell("PPO", 4, True), "wrappers/1/state/episode_lengths"),
    (Cell("PPO", 4, True, "frames"), "wrappers/1/state/stacked_obs"),
    (Cell("RecurrentPPO", 4, True), "memory"),
    (Cell("TD3", 4, True, "ornstein-uhlenbeck"), "noise/action"),
    (Cell("SAC", 4, True, "gsde"), "noise/matrices"),
    (Cell("TD3", 1, False), "logged"),
    (Cell("DQN", 1, True), "generators/numpy"),
    (Cell("DQN", 1, True), "generators/action_space"),
    (Cell("PPO", 4, True), "generators/torch"),
]
"""Items of the state, by their place in the tree, each with a cell whose result they decide."""


@pytest.mark.slow
@pytest.mark.usefixtures("_undrawn")
@pytest.mark.parametrize(("needing", "item"), ITEMS, ids=lambda value: str(value))
def test_without_one_item_of_the_state_a_resumed_run_differs(tmp_path, monkeypatch, needing, item):
    """Left as a freshly made model has it, any item shows in the weights or in the rows: the comparison can fail."""
    whole = train(needing, tmp_path / "whole")
    train(needing, tmp_path / "cut", 64)
    shutil.copytree(tmp_path / "cut", tmp_path / "forgetful")
    assert train(needing, tmp_path / "cut") == whole
    forget(monkeypatch, item)
    weights = train(needing, tmp_path / "forgetful")[2]
    rows = [(tmp_path / run / "metrics.csv").read_bytes() for run in ("forgetful", "whole")]
    assert weights != whole[2] or rows[0] != rows[1]


def forget(monkeypatch: pytest.MonkeyPatch, item: str) -> None:
    """Let every model be restored without ``item``."""
    restore, restore_late = ExactState.restore, ExactState.restore_late
    kept: dict[str, Any] = {}

    def forgetful(self: ExactState, state: Any) -> None:
        self._model.get_env().reset()
        kept["state"] = replaced(state, item.split("/"), snapshot(self.capture()))
        restore(self, kept["state"])

    monkeypatch.setattr(ExactState, "restore", forgetful)
    monkeypatch.setattr(ExactState, "restore_late", lambda self, _: restore_late(self, kept["state"]))


def replaced(tree: Any, place: list[str], other: Any) -> Any:
    """Return ``tree`` with what is at ``place`` taken from ``other``."""
    if not place:
        return other
    if isinstance(tree, list):
        at = int(place[0])
        return [*tree[:at], replaced(tree[at], place[1:], other[at]), *tree[at + 1 :]]
    return {**tree, place[0]: replaced(tree[place[0]], place[1:], other[place[0]])}


@pytest.mark.usefixtures("_undrawn")
def test_the_best_model_of_a_normalised_run_keeps_its_statistics(tmp_path):
    """They lie beside it as arrays, verified, and go into an environment to evaluate in; damage is refused."""
    cell = Cell("PPO", 4, True)
    train(cell, tmp_path / "run")
    assert_sound(tmp_path / "run")
    options: dict[str, Any] = {"out": tmp_path / "run", "metrics_every": 10}
    with TrainingSession.open(str(cell), total_timesteps=STEPS, config={"seed": 3}, **options) as session:
        fresh, plain = make_env(cell), make_env(Cell("PPO", 4, False))
        before = fresh.obs_rms.mean.copy()
        assert load_best_normalisation(session, fresh)
        assert fresh.obs_rms.count > STEPS / 3
        assert not (fresh.obs_rms.mean == before).all()
        assert not load_best_normalisation(session, plain)
        damaged = tmp_path / "run/best/normalisation-tensors.safetensors"
        damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
        assert "best/normalisation-tensors.safetensors" in verify(tmp_path / "run").reasons
        with pytest.raises(IntegrityError, match=r"does not match best\.json"):
            load_best_normalisation(session, fresh)


def test_the_table_of_the_documentation_is_what_is_run():
    """docs/exact-resume.md lists every algorithm and variant of the matrix, and no other."""
    assert {name.split(".")[1] for name in VERIFIED} == set(SETTINGS)
    text = (ROOT / "docs" / "exact-resume.md").read_text()
    rows = re.findall(r"^\| ([A-Za-z0-9]+) \| 1, 4 \| without, with \| ([^|]*) \|$", text, re.MULTILINE)
    told = {name: {variant.strip() for variant in variants.split(",")} - {"–"} for name, variants in rows}
    assert told == {
        name: {variant for variant, algorithms in VARIANTS.items() if name in algorithms} for name in SETTINGS
    }
