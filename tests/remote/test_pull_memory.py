"""The memory that a whole pull takes stays flat, however large the archive is."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.watched_process import Watched, watch
from tests.remote.kaggle_server import Cli, KaggleServer, push
from tests.remote.kaggle_server.cli import PROGRAM
from tests.remote.large_run import large_output, leaving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read in /proc"),
]
SIZE = 300_000_000
MOST_ABOVE = 100_000_000
TINY, LARGE = "a-tiny-run", "a-large-run"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, runs: dict[str, Path]) -> Iterator[KaggleServer]:
    """A server with two kernels that are COMPLETE: one left a run of some kB, one of 300 MB."""
    root = tmp_path_factory.mktemp("large")
    outputs = {TINY: root / TINY, LARGE: root / LARGE}
    large_output(outputs[TINY], runs["complete"], 1_000)
    assert large_output(outputs[LARGE], runs["complete"], SIZE).stat().st_size > SIZE
    with KaggleServer(root / "kaggle", leaving(outputs)) as server:
        for slug in outputs:
            push(server, slug)
            server.wait(slug)
        yield server


def pulled(server: KaggleServer, slug: str, folder: Path, repository: Path) -> Watched:
    """Pull with the real command, in a process of its own."""
    out = folder / slug
    command = [
        sys.executable,
        repository / "validation_cli.py",
        "pull",
        f"{server.user}/{slug}",
        "--out",
        out,
    ]
    done = watch(command, server.environ(folder / "home"), folder)
    assert done.code == 0, done.err
    assert (out / "artifacts.zip").stat().st_size > (SIZE if slug == LARGE else 0)
    return done


def test_a_pull_of_a_large_archive_holds_no_more_than_one_of_a_tiny_one(
    server: KaggleServer, tmp_path: Path, repository: Path
):
    """Downloaded, verified and unpacked with at most 100 MB more at its peak, for an archive of 300 MB."""
    tiny, large = (pulled(server, slug, tmp_path, repository) for slug in (TINY, LARGE))
    assert large.peak_bytes - tiny.peak_bytes <= MOST_ABOVE


def test_the_measure_sees_an_archive_that_is_held_in_memory(server: KaggleServer, tmp_path: Path):
    """The client's own download holds the file whole: by the same measure, more than its size."""
    cli = Cli(server, tmp_path / "home")
    peaks = []
    for slug in (TINY, LARGE):
        words = ["kernels", "output", f"{server.user}/{slug}", "-p", tmp_path / slug]
        done = watch([PROGRAM, *words, "--file-pattern", r"artifacts\.zip$"], cli.environ, tmp_path)
        assert done.code == 0, done.err
        peaks.append(done.peak_bytes)
    assert peaks[1] - peaks[0] > SIZE
