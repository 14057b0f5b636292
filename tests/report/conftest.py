from pathlib import Path

import pytest

from tests.report.made import make_run


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A complete run folder."""
    return make_run(tmp_path / "run")
