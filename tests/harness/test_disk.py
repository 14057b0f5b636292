"""DiskWatch: prunes, then stops, while the archive to come still fits."""

from pathlib import Path

import pytest

from kit.harness.disk import DiskWatch, folder_bytes
from kit.harness.run_folder import RunFolder

MB = 10**6


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run folder with 10 MB in a checkpoint, 1 MB of it the newest."""
    folder = RunFolder(tmp_path / "run")
    folder.create()
    for step, size in ((1, 9 * MB), (2, MB)):
        path = folder.checkpoints / f"step-{step:09d}" / "state"
        path.parent.mkdir()
        path.write_bytes(bytes(size))
    return folder


def test_a_folder_is_counted_without_following_links(tmp_path):
    """Regular files below it, however deep; a link out of it or in a circle counts nothing."""
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(bytes(100))
    (tmp_path / "a/link").symlink_to("/")
    (tmp_path / "top").write_bytes(bytes(5))
    assert folder_bytes(tmp_path) == 105
    assert folder_bytes(tmp_path, frozenset({"a"})) == 5
    assert folder_bytes(tmp_path / "none") == 0


def test_plenty_of_room_needs_nothing(folder):
    """10 MB and an archive as big are far from 100 MB."""
    watch = DiskWatch(folder, 100 * MB)
    assert watch.look(0.0) is None
    assert (watch.facts.checkpoint_bytes, watch.peak_bytes) == (MB, 10 * MB)


def test_first_it_asks_to_prune_then_to_stop(folder):
    """22 MB hold the run, its archive and no further checkpoint: after a pruning that frees nothing it stops."""
    watch = DiskWatch(folder, 22 * MB)
    wish, why = watch.look(0.0)
    assert (wish, "2.0 MB left of 22.0 MB" in why) == ("prune", True)
    folder.prune_request.touch()
    assert watch.look(1.0) is None
    folder.prune_request.unlink()
    assert watch.look(2.0) is None
    assert watch.look(3.0)[0] == "stop"


def test_a_pruning_that_helps_is_enough(folder):
    """With the old checkpoint gone the run goes on."""
    watch = DiskWatch(folder, 22 * MB)
    assert watch.look(0.0)[0] == "prune"
    (folder.checkpoints / "step-000000001/state").unlink()
    assert [watch.look(float(at)) for at in range(1, 60)] == [None] * 59


def test_a_pruning_that_nobody_answers_does_not_hold_up_the_stop(folder):
    """No boundary came for long: the request to stop lies ready for the next one."""
    watch = DiskWatch(folder, 22 * MB)
    assert watch.look(0.0)[0] == "prune"
    folder.prune_request.touch()
    assert [watch.look(float(at)) for at in range(1, 15)] == [None] * 14
    assert watch.look(15.0)[0] == "stop"


def test_the_limit_of_a_platform_counts_all_of_its_output(folder, tmp_path):
    """On Kaggle what lies beside the run folder counts too."""
    (tmp_path / "data").write_bytes(bytes(15 * MB))
    assert DiskWatch(folder, 37 * MB).look(0.0) is None
    assert DiskWatch(folder, 37 * MB, str(tmp_path)).look(0.0)[0] == "prune"
