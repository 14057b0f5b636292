"""The shelf of adapters: what stays, what goes, and what a checkpoint may count on."""

import shutil

import pytest

from kit.errors import IntegrityError
from kit.league.adapters import CHECKPOINTS, AdapterShelf


def writing(content):
    """Return something that writes an adapter."""

    def write(folder):
        folder.mkdir(parents=True)
        (folder / "weights").write_text(content)

    return write


def filled(root, count):
    """Return a shelf with adapters 1 to ``count``, and their names."""
    shelf = AdapterShelf(root)
    return shelf, [shelf.save(number, writing(str(number))) for number in range(1, count + 1)]


def test_an_adapter_has_a_name_that_moves_with_its_folder(tmp_path):
    """Relative to the run folder, and in order."""
    shelf, names = filled(tmp_path / "run", 3)
    assert names == ["adapters/000001", "adapters/000002", "adapters/000003"]
    (tmp_path / "run").rename(tmp_path / "moved")
    moved = AdapterShelf(tmp_path / "moved")
    assert moved.numbers() == [1, 2, 3]
    assert (moved.path(names[1]) / "weights").read_text() == "2"
    moved.check(AdapterShelf(tmp_path / "moved").capture(names))
    assert not shelf.numbers()


def test_a_future_that_was_lost_is_removed(tmp_path):
    """An iteration and what came after, and what a killed process left half-written."""
    shelf, _ = filled(tmp_path, 4)
    stale = tmp_path / "adapters" / ".000003.999999.00000000.tmp"
    stale.mkdir()
    shelf.remove_from(3)
    shelf.save(3, writing("other"))
    assert shelf.numbers() == [1, 2, 3]
    assert (shelf.path("adapters/000003") / "weights").read_text() == "other"
    assert not stale.exists()


def test_adapters_stay_as_long_as_somebody_may_play_them(tmp_path):
    """Those that are needed now, and those of every checkpoint that may still be fallen back on; others go at once."""
    shelf, names = filled(tmp_path, 9)
    for number in range(CHECKPOINTS):
        shelf.capture({names[number]})
    assert shelf.prune({names[8]}) == names[CHECKPOINTS:8]
    assert shelf.numbers() == [*range(1, CHECKPOINTS + 1), 9]
    shelf.capture({names[8]})
    assert shelf.prune({names[8]}) == names[:1]
    shelf.serve(10)
    for _ in range(12 - CHECKPOINTS):
        shelf.capture({names[8]})
    assert shelf.prune(set()) == []
    for _ in range(CHECKPOINTS - 1):
        shelf.capture({names[8]})
    assert shelf.prune(set()) == names[1:CHECKPOINTS]


def test_after_a_resume_nothing_of_before_goes_until_new_checkpoints_are_there(tmp_path):
    """The older checkpoint, which the new process has never seen, may be needed yet; what is new is known all about."""
    shelf, names = filled(tmp_path, 5)
    captured = [shelf.capture({name}) for name in names[:CHECKPOINTS]]
    again = AdapterShelf(tmp_path)
    again.check(captured[-1])
    new = [again.save(number, writing("new")) for number in (6, 7)]
    assert again.prune({new[1]}) == new[:1]
    for _ in range(CHECKPOINTS - 1):
        again.capture({new[1]})
    assert again.prune({new[1]}) == []
    again.capture({new[1]})
    assert again.prune({new[1]}) == names


@pytest.mark.parametrize("damage", ["gone", "changed", "more"])
def test_a_checkpoint_whose_adapters_are_not_as_they_were_is_refused(tmp_path, damage):
    """By name; those it does not count on do not matter."""
    shelf, names = filled(tmp_path, 3)
    captured = shelf.capture(names[:2])
    folder = shelf.path(names[1])
    if damage == "gone":
        shutil.rmtree(folder)
    else:
        (folder / ("weights" if damage == "changed" else "extra")).write_text("x")
    shutil.rmtree(shelf.path(names[2]))
    with pytest.raises(IntegrityError, match="adapters/000002") as caught:
        AdapterShelf(tmp_path).check(captured)
    assert caught.value.bad == [names[1]]
