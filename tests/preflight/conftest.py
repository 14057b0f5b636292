"""What all tests of the checks share."""

import pytest

from kit.report.process import ReportProcess


@pytest.fixture
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without figures and page, which take longer than the training here."""
    monkeypatch.setattr(ReportProcess, "_ask", lambda *_: False)
