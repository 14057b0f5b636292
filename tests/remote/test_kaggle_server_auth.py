"""The loopback Kaggle: who may call, and what the real CLI makes of a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.remote.kaggle_server import Cli, KaggleServer, Machine
from tests.remote.kaggle_server.accounts import Credentials

SLOW = partial(pytest.param, marks=pytest.mark.slow)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KaggleServer]:
    """A server that nothing is pushed to."""
    with KaggleServer(tmp_path_factory.mktemp("kaggle"), Machine()) as server:
        yield server


@pytest.mark.parametrize("credentials", ["token file", "key", *map(SLOW, ["token", "key file"])])
def test_right_credentials_are_taken(server: KaggleServer, tmp_path: Path, credentials: Credentials):
    """A token or a legacy key is known, from the environment or from its file."""
    asked = Cli(server, tmp_path, credentials)("quota", "-v")
    assert asked.returncode == 0, asked.stderr
    assert "GPU,0.00h,30.00h,30.00h" in asked.stdout


@pytest.mark.parametrize(
    "credentials", ["none", "expired token", "wrong key", *map(SLOW, ["wrong token", "revoked token"])]
)
def test_wrong_credentials_are_an_exit_code_of_one(
    server: KaggleServer, tmp_path: Path, credentials: Credentials
):
    """None, unknown, expired, revoked or a wrong key: the CLI explains how to log in, and shows no secret."""
    asked = Cli(server, tmp_path, credentials)("quota", "-v")
    assert asked.returncode == 1
    assert "Authentication required to call the Kaggle API." in asked.stdout
    assert not [secret for secret in server.account.secrets() if secret in asked.stdout + asked.stderr]


def test_nothing_of_the_callers_own_credentials_gets_in(
    server: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What the caller's environment says of Kaggle and of proxies is left out of the CLI's."""
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_CONFIG_DIR", "NO_PROXY", "no_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "mine")
    environ = server.environ(tmp_path, "none")
    assert "mine" not in environ.values()
    assert environ["HOME"] == str(tmp_path)
    assert Path(environ["TMPDIR"]).is_relative_to(tmp_path)


def test_another_host_is_not_reached(server: KaggleServer, tmp_path: Path):
    """A CLI that is not told of the loopback asks for the real host: it ends here, refused and noted."""
    kaggle = Cli(server, tmp_path)
    del kaggle.environ["KAGGLE_API_ENVIRONMENT"]
    assert kaggle("quota").returncode == 1
    assert {host.partition(":")[0] for host in server.journal.strays} == {"api.kaggle.com"}
    server.journal.strays.clear()
