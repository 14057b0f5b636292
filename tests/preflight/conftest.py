"""What all tests of the checks share."""

import pytest

from kit.report.process import ReportProcess
from tests.preflight.planted import LEARNS, QuickTest, plant, quick_test_here


@pytest.fixture
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without figures and page, which take longer than the training here."""
    monkeypatch.setattr(ReportProcess, "_ask", lambda *_: False)


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> QuickTest:
    """The quick test of a notebook without a defect, for all tests that only look at it."""
    folder = tmp_path_factory.mktemp("healthy")
    notebook = plant(LEARNS, folder, ("total_timesteps = 24_000", "total_timesteps = 128"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ReportProcess, "_ask", lambda *_: False)
        found = quick_test_here(notebook, folder / "run-quick")
    return QuickTest(notebook, folder / "run-quick", found)
