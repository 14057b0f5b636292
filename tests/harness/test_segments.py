"""The append-only log: what a manifest names stays what it was, whatever is appended, lost or damaged later."""

import random

import pytest

from kit.errors import IntegrityError, StorageError, UsageError
from kit.harness import segments
from kit.harness.archive import package, safe_extract, verify
from kit.harness.checkpoints import CheckpointStore
from kit.harness.manifest import verify_checkpoint
from kit.harness.segment_format import BLOCK, Frame
from kit.harness.segments import Append, SegmentLog


class Rows(Append):
    """Rows that are their own numbers, one a frame."""

    def __init__(self, start, end, keep_from=0, log="rows", size=100):
        super().__init__(log, start, end, keep_from)
        self.size = size

    def frames(self):
        """Yield a frame for each row."""
        for row in range(self.start, self.end):
            yield Frame(row, row + 1, bytes([row % 256]) * self.size)


@pytest.fixture
def root(tmp_path):
    """Where the checkpoints lie, not made yet."""
    return tmp_path / "run" / "checkpoints"


def session(root, segment_bytes=segments.SEGMENT_BYTES):
    """Return a store that goes on from the newest checkpoint, as a new process does."""
    store = CheckpointStore(root, "h")
    store._log = SegmentLog(root / "segments", segment_bytes)
    newest = store.newest()
    if newest is not None:
        store.continue_from(newest)
    return store


def save(store, step, rows):
    """Take a checkpoint that appends ``rows``."""
    return store.save(step, {"state": b"s"}, exact=True, append=[rows])


def rows_of(store, reference, log="rows"):
    """Return the numbers of the rows of a checkpoint, each proven by its data."""
    frames = list(store.frames(reference, log))
    assert all(bytes(frame.data) == bytes([frame.start % 256]) * len(frame.data) for frame in frames)
    return [frame.start for frame in frames]


def files_of(root):
    """Return the names of the segments on disk."""
    return sorted(path.name for path in (root / "segments").iterdir())


def test_checkpoints_share_one_file_and_each_has_its_own_prefix(root):
    """The second append goes on in the first one's file, in blocks of its own, and the first still verifies."""
    store = session(root)
    first, second = save(store, 1, Rows(0, 3)), save(store, 2, Rows(3, 5))
    assert files_of(root) == ["rows-000000001.seg"]
    assert (first.segments[0].bytes, second.segments[0].bytes) == (3 * BLOCK, 5 * BLOCK)
    assert verify_checkpoint(first.path) == first
    assert (rows_of(store, first), rows_of(store, second)) == ([0, 1, 2], [0, 1, 2, 3, 4])
    assert second.size_bytes == 5 * BLOCK + 1


def test_a_new_session_leaves_the_files_of_the_one_before_alone(root):
    """It appends in a new file, whatever stands behind the last commit in the old ones."""
    save(session(root), 1, Rows(0, 2))
    segment = root / "segments/rows-000000001.seg"
    segment.write_bytes(segment.read_bytes() + b"half a frame")
    reference = save(session(root), 2, Rows(2, 3))
    assert files_of(root) == ["rows-000000001.seg", "rows-000000002.seg"]
    assert segment.read_bytes().endswith(b"half a frame")
    assert rows_of(session(root), reference) == [0, 1, 2]


def test_full_segments_are_left_and_those_that_are_past_are_deleted(root):
    """The files on disk hold the rows that are needed and no more than a segment besides; nothing else is touched."""
    store = session(root, segment_bytes=2 * BLOCK)
    for row in range(20):
        save(store, row, Rows(row, row + 1, max(0, row - 4)))
    newest = store.newest()
    assert rows_of(store, newest) == [14, 15, 16, 17, 18, 19]
    assert files_of(root) == [f"rows-{number:09d}.seg" for number in (8, 9, 10)]


def test_many_small_segments_become_few(root, monkeypatch):
    """After many sessions a log is still read from few files, and every checkpoint on the way is whole."""
    monkeypatch.setattr(segments, "MANY", 4)
    for row in range(30):
        store = session(root, segment_bytes=8 * BLOCK)
        reference = save(store, row, Rows(row, row + 1))
        assert rows_of(store, reference) == list(range(row + 1))
        assert len(reference.segments) <= 4 + 2 + row / 4
    assert max(len(list((root / "segments").iterdir())), len(reference.segments)) < 15


def test_damage_found_while_merging_makes_the_log_begin_anew(root, monkeypatch):
    """A damaged segment is not copied: the rows before are lost to the log, which can be written from the start."""
    monkeypatch.setattr(segments, "MANY", 1)
    for row in range(3):
        save(session(root), row, Rows(row, row + 1))
    store = session(root)
    path = root / "segments" / store.newest().segments[0].name
    path.write_bytes(bytes(path.stat().st_size))
    rows = Rows(3, 4)
    with pytest.raises(StorageError, match="another SHA-256"):
        save(store, 3, rows)
    assert (rows.lost, rows.committed) == (True, False)
    assert rows_of(store, save(store, 3, Rows(0, 4))) == [0, 1, 2, 3]


def test_a_merge_without_room_is_left_for_later(root, monkeypatch, caplog):
    """Where the merged file cannot be written the segments stay as they are, and the checkpoint is taken."""
    monkeypatch.setattr(segments, "MANY", 1)
    for row in range(2):
        save(session(root), row, Rows(row, row + 1))
    store = session(root)
    monkeypatch.setattr(segments, "read_frames", _no_room)
    reference = save(store, 2, Rows(2, 3))
    assert "cannot become one" in caplog.text
    assert [record.name for record in reference.segments] == [f"rows-{n:09d}.seg" for n in (1, 2, 3)]
    assert verify_checkpoint(reference.path) == reference


def _no_room(folder, record):
    yield Frame(record.start, record.end, b"")
    raise OSError(28, "No space left on device")


def test_an_older_checkpoint_can_be_gone_on_from(root):
    """With the newest broken the one before is continued, in files of its own, and what is broken stays broken."""
    store = session(root)
    save(store, 1, Rows(0, 2))
    broken = save(store, 2, Rows(2, 4))
    (broken.path / "state").write_bytes(b"x")
    again = session(root)
    assert again.newest().step == 1
    reference = save(again, 3, Rows(2, 3))
    assert rows_of(again, reference) == [0, 1, 2]
    assert files_of(root) == ["rows-000000001.seg", "rows-000000002.seg"]
    segment = root / "segments/rows-000000001.seg"
    assert segment.stat().st_size == 4 * BLOCK


def test_an_older_checkpoint_is_gone_on_from_up_to_the_step_of_a_newer_one(root):
    """Where that newer one turns out to be sound it stays, nothing is appended, and the log still has no gap."""
    store = session(root)
    first, _ = save(store, 1, Rows(0, 2)), save(store, 2, Rows(2, 4))
    other = CheckpointStore(root, "h")
    other.continue_from(first)
    rows = Rows(2, 4)
    save(other, 2, rows)
    assert not rows.committed
    assert rows_of(other, save(other, 3, Rows(2, 5))) == [0, 1, 2, 3, 4]


def test_what_failed_is_part_of_the_next_append(root):
    """After a checkpoint that could not be committed its rows come again, in a new file; the half is swept away."""

    def full(file):
        raise OSError(28, "No space left on device")

    store = session(root)
    save(store, 1, Rows(0, 2))
    rows = Rows(2, 3)
    with pytest.raises(StorageError, match="No space left"):
        store.save(2, {"state": full}, exact=True, append=[rows])
    assert not rows.committed
    again = Rows(2, 4)
    reference = save(store, 3, again)
    assert again.committed
    assert [record.name for record in reference.segments] == ["rows-000000001.seg", "rows-000000002.seg"]
    assert rows_of(store, reference) == [0, 1, 2, 3]


@pytest.mark.parametrize("frames", [[Frame(2, 3, b"a"), Frame(4, 5, b"b")], [Frame(2, 3, b"a")], []])
def test_a_log_never_gets_a_gap(root, frames, monkeypatch):
    """Rows that do not follow the last ones, frames that leave some out or end early: refused, nothing changes."""
    store = session(root)
    save(store, 1, Rows(0, 2))
    with pytest.raises(UsageError, match="gap"):
        save(store, 2, Rows(3, 4))
    with pytest.raises(UsageError, match="once"):
        store.save(2, {}, exact=True, append=[Rows(2, 3), Rows(2, 3)])
    rows = Rows(2, 5)
    monkeypatch.setattr(rows, "frames", lambda: iter(frames))
    with pytest.raises(UsageError, match=r"gap|do not reach"):
        save(store, 2, rows)
    assert store.newest().step == 1
    assert rows_of(store, save(store, 2, Rows(2, 5))) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("start", "end", "keep_from"), [(2, 1, 0), (1, 2, 2), (-1, 2, -1)])
def test_rows_that_cannot_be_are_refused(start, end, keep_from):
    """An end before the start, or rows that are not needed, are usage errors."""
    with pytest.raises(UsageError):
        Rows(start, end, keep_from)


@pytest.mark.parametrize("log", ["", "A", "a/b", "..", "a.b", "1"])
def test_names_of_logs_are_plain(root, log):
    """A log's name becomes a file's: anything unusual is refused before anything is written."""
    with pytest.raises(UsageError, match="Not a name for a log"):
        save(session(root), 1, Rows(0, 1, log=log))
    assert list(root.glob("step-*")) == []


def test_a_checkpoint_that_appends_nothing_ends_the_log(root):
    """Written whole, a state needs no segments: they go with the last checkpoint that names them."""
    store = session(root)
    save(store, 1, Rows(0, 2))
    for step in (2, 3):
        store.save(step, {"state": b"s"}, exact=True)
    assert files_of(root) == []
    save(store, 4, Rows(7, 8, 7))
    assert rows_of(store, store.newest()) == [7]


@pytest.mark.parametrize("fault", ["flipped", "cut", "gone", "link", "swapped"])
def test_damage_is_found_wherever_it_is(root, fault):
    """Whatever happens to a segment at any place, no wrong row is handed out: the loader walks back."""
    rng = random.Random(fault)
    store = session(root, segment_bytes=3 * BLOCK)
    for step in range(1, 4):
        save(store, step, Rows(2 * step - 2, 2 * step))
    whole = {path: path.read_bytes() for path in (root / "segments").iterdir()}
    for _ in range(40):
        path = rng.choice(sorted(whole))
        at = rng.randrange(len(whole[path]))
        if fault == "flipped":
            path.write_bytes(whole[path][:at] + bytes([whole[path][at] ^ 1]) + whole[path][at + 1 :])
        elif fault == "cut":
            path.write_bytes(whole[path][:at])
        elif fault == "swapped":
            path.write_bytes(whole[next(other for other in sorted(whole) if other != path)])
        else:
            path.unlink()
            if fault == "link":
                path.symlink_to("/dev/zero")
        for step in (3, 2):
            folder = root / f"step-{step:09d}"
            hit = any(record.name == path.name and at < record.bytes for record in _records(folder))
            if hit or (fault != "flipped" and _names(folder, path.name) and fault != "cut"):
                with pytest.raises(IntegrityError) as caught:
                    verify_checkpoint(folder)
                assert caught.value.bad == [f"segments/{path.name}"]
                assert f"checkpoints/segments/{path.name}" in verify(root.parent).bad
        newest = CheckpointStore(root, "h").newest(lambda *_: None)
        assert newest is None or rows_of(store, newest) == list(range(2 * newest.step))
        path.unlink(missing_ok=True)
        path.write_bytes(whole[path])
    assert verify(root.parent).ok


def _records(folder):
    from kit.harness.manifest import read_manifest

    return read_manifest(folder).segments


def _names(folder, name):
    return any(record.name == name for record in _records(folder))


def test_rows_that_change_after_the_search_are_not_handed_out(root):
    """Reading checks the very bytes it hands out, before the first of them is out."""
    store = session(root)
    reference = save(store, 1, Rows(0, 2))
    path = root / "segments/rows-000000001.seg"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError, match="another SHA-256"):
        next(store.frames(reference, "rows"))


def test_an_archive_holds_the_segments_of_its_checkpoints(root, tmp_path):
    """Unpacked elsewhere the run loads there, rows and all."""
    store = session(root)
    save(store, 1, Rows(0, 2))
    made = package(root.parent)
    safe_extract(made.path, tmp_path / "there")
    there = session(tmp_path / "there/checkpoints")
    assert rows_of(there, there.newest()) == [0, 1]
    assert verify(tmp_path / "there").ok


def test_pruning_keeps_the_newest_sound_checkpoint_and_what_it_needs(root):
    """On a disk that runs full: one checkpoint stays, the bytes of the rest are told, and the run goes on from it."""
    store = session(root, segment_bytes=2 * BLOCK)
    save(store, 1, Rows(0, 4))
    save(store, 2, Rows(4, 8, 4))
    broken = save(store, 3, Rows(8, 9, 8))
    (broken.path / "manifest.json").write_bytes(b"")
    (root / "segments/rows-000000099.seg").write_bytes(bytes(5))
    store = session(root, segment_bytes=2 * BLOCK)
    before = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    freed = store.prune()
    after = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    assert freed == before - after > BLOCK
    assert [path.name for path in root.glob("step-*")] == ["step-000000002"]
    assert rows_of(store, store.newest()) == [4, 5, 6, 7]
    assert rows_of(store, save(store, 5, Rows(8, 9, 5))) == [4, 5, 6, 7, 8]


def test_pruning_without_a_sound_checkpoint_deletes_nothing(root):
    """Where none verifies everything stays: somebody may still repair it."""
    store = session(root)
    reference = save(store, 1, Rows(0, 2))
    (reference.path / "state").write_bytes(b"broken")
    before = sorted(root.rglob("*"))
    assert CheckpointStore(root, "h").prune() == 0
    assert sorted(root.rglob("*")) == before


def test_another_configurations_segments_are_kept(root):
    """Files that any readable manifest names stay, whoever wrote it, and no name is used twice."""
    save(session(root), 1, Rows(0, 2))
    other = CheckpointStore(root, "other")
    for step in (2, 3, 4):
        save(other, step, Rows(10 * step, 10 * step + 1, 10 * step))
    first = CheckpointStore(root, "h")
    assert rows_of(first, first.newest()) == [0, 1]
