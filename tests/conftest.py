"""What all tests share: machines with two busy cores, and no trace in the user's own folders."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("shared-cores", deadline=None)
settings.load_profile("shared-cores")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what the kit remembers (the history of forecasts, the machine's key) out of the user's cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        for name in ("KIT_LAUNCHED", "KIT_PARAMETERS", "KIT_OPTIONS", "KIT_BEGAN"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parent.parent


os.environ.setdefault("MPLBACKEND", "agg")
