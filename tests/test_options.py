"""The options of a session: from the notebook, from the command line, from the machine."""

import pytest

from kit.errors import UnknownNameError
from kit.harness.cadence import Cadence
from kit.launched import given_parameters, handed_over, launched_at
from kit.opening import folder_of
from kit.options import SessionOptions


def test_a_folder_is_runs_slash_notebook_unless_given(tmp_path, monkeypatch):
    """Beside it, a quick test has its own; --out is the run folder itself."""
    monkeypatch.chdir(tmp_path)
    assert folder_of("x", "", quick_test=False).root == tmp_path / "runs/x"
    assert folder_of("x", "", quick_test=True).root == tmp_path / "runs/x-quick"
    assert folder_of("x", "here", quick_test=True).root == tmp_path / "here"


def test_explicit_limits_are_told_from_defaults():
    """Only what somebody gave counts from the launch of the command."""
    assert not SessionOptions().limits_given
    assert SessionOptions(session_limit="1h").limits_given
    assert SessionOptions().limits(9 * 3600.0).soft_s == pytest.approx(0.875 * 9 * 3600)
    assert SessionOptions(soft_limit="20").limits(9 * 3600.0).soft_s == 20.0


def test_the_command_line_hands_over_its_launch_and_parameters(monkeypatch):
    """An absolute monotonic time and the parameters come through the environment to the last bit."""
    assert (launched_at(), given_parameters()) == (None, None)
    for name, value in handed_over(1234.1 + 1e-9, {"seed": 1, "x": [None]}).items():
        monkeypatch.setenv(name, value)
    assert launched_at() == 1234.1 + 1e-9
    assert given_parameters() == {"seed": 1, "x": [None]}


def test_options_that_the_command_line_hands_over_reach_every_session(monkeypatch):
    """They come before the notebook's own; of a cadence only the fields that were given; a wrong one is an error."""
    given = {"metrics_every": 7, "cadence": {"export_min_s": 2.0}}
    monkeypatch.setenv("KIT_OPTIONS", handed_over(0.0, {}, given)["KIT_OPTIONS"])
    options = SessionOptions.of(metrics_every=5, threads=3, cadence=Cadence(checkpoint_min_s=4.0))
    assert (options.metrics_every, options.threads) == (7, 3)
    assert options.cadence == Cadence(checkpoint_min_s=4.0, export_min_s=2.0)
    assert SessionOptions.of().cadence == Cadence(export_min_s=2.0)
    monkeypatch.setenv("KIT_OPTIONS", handed_over(0.0, {}, {"metrics_evry": 7})["KIT_OPTIONS"])
    with pytest.raises(UnknownNameError, match="Did you mean 'metrics_every'"):
        SessionOptions.of()
