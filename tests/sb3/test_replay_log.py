"""The replay buffer as a log: what is restored is what was there, and what is written is what came since."""

import threading

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.buffers import DictReplayBuffer, NStepReplayBuffer, ReplayBuffer

from kit.errors import IntegrityError, StorageError
from kit.harness import segments
from kit.harness.checkpoints import CheckpointStore
from kit.harness.segment_format import BLOCK
from kit.report.process import ReportProcess
from kit.sb3 import replay_log
from kit.sb3.replay_log import ReplayLog
from kit.tensors import appended, decode, encode, snapshot
from tests.crash.trainer import train

ACTIONS = spaces.Discrete(3)
BOX = spaces.Box(-1.0, 1.0, (3,), np.float32)
KINDS = {
    "plain": lambda: ReplayBuffer(7, BOX, ACTIONS, n_envs=1),
    "two environments": lambda: ReplayBuffer(14, BOX, ACTIONS, n_envs=2),
    "lean": lambda: ReplayBuffer(
        7, BOX, ACTIONS, optimize_memory_usage=True, handle_timeout_termination=False
    ),
    "several steps": lambda: NStepReplayBuffer(7, BOX, ACTIONS, n_steps=3),
    "dictionary": lambda: DictReplayBuffer(7, spaces.Dict(a=BOX, b=spaces.Discrete(5)), ACTIONS),
}


class Run:
    """A training run reduced to its buffer: it adds, checkpoints, fails and resumes."""

    def __init__(self, folder, kind, segment_bytes=3 * BLOCK):
        self.folder, self.kind, self.segment_bytes = folder, kind, segment_bytes
        self.saved = 0
        self.begin()

    def begin(self):
        """Start a session: nothing but what is on disk is known."""
        self.store = CheckpointStore(self.folder, "h")
        self.store._log = segments.SegmentLog(self.folder / "segments", self.segment_bytes)
        self.buffer = KINDS[self.kind]()
        self.rows = 0
        self.log = ReplayLog(self.buffer, lambda: self.rows)

    def add(self, count=1):
        """Add transitions whose every number tells which one it is."""
        for _ in range(count):
            self.rows += 1
            n, value = self.buffer.n_envs, np.float32(self.rows)
            if isinstance(self.buffer, DictReplayBuffer):
                seen = {"a": np.full((n, 3), value), "b": np.full((n, 1), self.rows % 5)}
                after = {"a": np.full((n, 3), value + 0.5), "b": np.full((n, 1), self.rows % 3)}
            else:
                seen, after = np.full((n, 3), value), np.full((n, 3), value + 0.5)
            ended = np.full(n, self.rows % 4 == 0)
            infos = [{"TimeLimit.truncated": self.rows % 8 == 0}] * n
            self.buffer.add(seen, after, np.full((n, 1), self.rows % 3), np.full(n, value), ended, infos)

    def checkpoint(self, fails_at=None, meanwhile=0):
        """Write a checkpoint while ``meanwhile`` rows are added; where ``fails_at`` is a name, that part fails.

        Return the content that it should hold.
        """
        self.saved += 1
        tree = snapshot({"replay": self.log.capture(), "rows": self.rows})
        held = content(self.buffer)
        self.add(meanwhile)
        files = dict(encode(tree))
        if fails_at == "commit":
            files["late"] = _full_disk
        rows = appended(tree)
        if fails_at == "append":
            for one in rows:
                one.frames = _broken(one)
        try:
            self.store.save(self.saved, files, exact=True, append=rows)
        except StorageError:
            assert fails_at is not None
        return held

    def resume(self):
        """Go on, in a new session, from the newest checkpoint; return the arrays that the buffer then holds."""
        self.begin()
        newest = self.store.newest(_refuse)
        if newest is not None:
            saved = decode(self.store.load(newest), lambda log: self.store.frames(newest, log))
            self.store.continue_from(newest)
            self.log.restore(saved["replay"])
            self.rows, self.saved = saved["rows"], newest.step
        return content(self.buffer)


def _refuse(path, why):
    raise AssertionError(f"{path} does not verify: {why}")


def _full_disk(file):
    raise OSError(28, "No space left on device")


def _broken(rows):
    whole = rows.frames

    def frames():
        yield from list(whole())[:1]
        raise OSError(5, "Input/output error")

    return frames


def content(buffer):
    """Return all arrays of a buffer and its place, copied."""
    arrays = {name: array.copy() for name, array in replay_log._arrays(buffer).items()}
    return {**arrays, "place": np.array([buffer.pos, buffer.full])}


def assert_same(one, other):
    """Both hold the same bytes under the same names."""
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


DEEDS = st.lists(
    st.one_of(
        st.integers(1, 17),
        st.sampled_from(["save", "save", "save and add 2", "append fails", "commit fails", "resume"]),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(kind=st.sampled_from(sorted(KINDS)), deeds=DEEDS, small=st.sampled_from([0, 150]))
def test_what_is_restored_is_what_was_checkpointed(tmp_path_factory, monkeypatch, kind, deeds, small):
    """Whatever is added, saved, failed and resumed: the ring comes back byte for byte as of the last commit."""
    monkeypatch.setattr(replay_log, "SMALL_BYTES", small)
    monkeypatch.setattr("kit.appended.FRAME_BYTES", 100)
    monkeypatch.setattr(segments, "MANY", 3)
    run = Run(tmp_path_factory.mktemp("run") / "checkpoints", kind)
    last = content(run.buffer)
    for deed in [*deeds, "resume"]:
        if isinstance(deed, int):
            run.add(deed)
        elif deed == "resume":
            assert_same(run.resume(), last)
        elif deed.startswith("save"):
            last = run.checkpoint(meanwhile=2 if "add" in deed else 0)
        else:
            held = run.checkpoint(fails_at=deed.split()[0])
            if run.store.newest() is not None and run.store.newest().step == run.saved:
                last = held  # nothing to append: so nothing failed


def test_rows_are_read_while_others_are_added(tmp_path, monkeypatch):
    """What a thread writes, in small frames, is what was there at the capture, whatever training adds meanwhile."""
    monkeypatch.setattr(replay_log, "SMALL_BYTES", 0)
    monkeypatch.setattr("kit.appended.FRAME_BYTES", 100)
    monkeypatch.setitem(KINDS, "long", lambda: ReplayBuffer(2_000, BOX, ACTIONS))
    run = Run(tmp_path / "checkpoints", "long", segment_bytes=2**20)
    run.add(1_700)
    for number in range(1, 4):
        run.add(150)
        tree = snapshot({"replay": run.log.capture(), "rows": run.rows})
        held, files, rows = content(run.buffer), encode(tree), appended(tree)
        writing = threading.Thread(
            target=run.store.save, args=(number, files), kwargs={"exact": True, "append": rows}
        )
        writing.start()
        while writing.is_alive() and run.rows < tree["rows"] + 900:
            run.add(1)
        writing.join()
        assert rows[0].committed
    assert_same(run.resume(), held)


def test_training_may_go_on_between_any_two_looks(tmp_path, monkeypatch):
    """Steps that come while the place of the ring is held against their number are no reason to fail."""
    monkeypatch.setattr(replay_log, "SMALL_BYTES", 0)
    monkeypatch.setattr("kit.appended.FRAME_BYTES", 100)
    monkeypatch.setitem(KINDS, "long", lambda: ReplayBuffer(2_000, BOX, ACTIONS))
    run = Run(tmp_path / "checkpoints", "long", segment_bytes=2**20)
    run.add(1_990)
    run.checkpoint()
    run.add(30)
    tree = snapshot({"replay": run.log.capture(), "rows": run.rows})
    held = content(run.buffer)

    def steps():
        run.add(3)
        return run.rows

    run.log._steps = steps
    run.store.save(2, encode(tree), exact=True, append=appended(tree))
    assert run.rows > tree["rows"] + 30
    assert_same(run.resume(), held)


def test_rows_that_no_step_brought_fail_the_checkpoint(tmp_path, monkeypatch):
    """Something else that adds to the ring is noticed before what it may have overwritten is kept."""
    monkeypatch.setattr(replay_log, "SMALL_BYTES", 0)
    run = Run(tmp_path / "checkpoints", "plain")
    run.add(2)
    tree = snapshot({"replay": run.log.capture()})
    run.add(2)
    run.rows -= 2
    with pytest.raises(StorageError, match="no step"):
        run.store.save(1, encode(tree), exact=True, append=appended(tree))


@pytest.mark.parametrize("kind", ["plain", "lean"])
def test_rows_that_the_ring_overwrites_before_they_are_written_fail_the_checkpoint(
    tmp_path, monkeypatch, kind
):
    """The checkpoint before stays, the next one begins the log anew: a mixture of old and new rows is never kept."""
    monkeypatch.setattr(replay_log, "SMALL_BYTES", 0)
    run = Run(tmp_path / "checkpoints", kind)
    run.add(9)
    last = run.checkpoint()
    run.add(2)
    stays = 4  # of five more rows the last would, in a lean buffer, reach into the slot of the first new one
    run.checkpoint(fails_at="meanwhile", meanwhile=stays + 1)
    assert (run.store.newest().step, run.saved) == (1, 2)
    assert_same(run.resume(), last)
    run.add(2)
    last = run.checkpoint(meanwhile=stays)
    assert run.store.newest().step == run.saved
    assert_same(run.resume(), last)
    run.add(11)
    last = run.checkpoint()
    assert_same(run.resume(), last)


def test_a_checkpoint_writes_what_came_since_the_last(tmp_path, monkeypatch):
    """Through a ring that wraps eight times, each writes its own rows; the disk holds little more than the ring."""
    monkeypatch.setattr(replay_log, "SMALL_BYTES", 0)
    monkeypatch.setitem(KINDS, "long", lambda: ReplayBuffer(2_000, BOX, ACTIONS))
    run = Run(tmp_path / "checkpoints", "long", segment_bytes=30_000)
    folder, row_bytes = tmp_path / "checkpoints/segments", 3 * 4 * 2 + 8 + 3 * 4
    written = []
    monkeypatch.setattr(segments._Writer, "_put", _counting(segments._Writer._put, written))
    for _ in range(40):
        run.add(400)
        written.clear()
        run.checkpoint()
        assert 400 * row_bytes <= sum(written) <= 400 * row_bytes + 2 * BLOCK
        on_disk = sum(path.stat().st_size for path in folder.iterdir())
        assert on_disk <= 1.5 * 2_000 * row_bytes + 3 * 30_000
    live = content(run.buffer)
    assert_same(run.resume(), live)


def _counting(put, written):
    def counted(writer, file, frame, up_to):
        before = writer.size
        taken = put(writer, file, frame, up_to)
        written.append(writer.size - before)
        return taken

    return counted


def test_a_small_buffer_is_written_whole(tmp_path):
    """Up to 16 MiB the checkpoints kept share nothing, so damage to one leaves the other as it was."""
    run = Run(tmp_path / "checkpoints", "plain")
    run.add(20)
    run.checkpoint()
    assert run.store.newest().segments == ()
    live = content(run.buffer)
    assert_same(run.resume(), live)


def test_a_ring_that_does_not_stand_where_the_steps_say_is_written_whole(tmp_path, monkeypatch):
    """A buffer filled by hand before training follows no count: nothing is guessed about its rows."""
    monkeypatch.setattr(replay_log, "SMALL_BYTES", 0)
    run = Run(tmp_path / "checkpoints", "plain")
    run.add(5)
    run.rows -= 2
    run.checkpoint()
    assert run.store.newest().segments == ()
    live = content(run.buffer)
    assert_same(run.resume(), live)


def test_a_lost_segment_is_noticed_and_the_ring_written_anew(tmp_path, monkeypatch):
    """A file deleted under a running session fails one checkpoint; the next holds everything again."""
    monkeypatch.setattr(replay_log, "SMALL_BYTES", 0)
    run = Run(tmp_path / "checkpoints", "plain")
    run.add(5)
    run.checkpoint()
    next((tmp_path / "checkpoints/segments").iterdir()).unlink()
    run.add(1)
    run.checkpoint(fails_at="append")
    assert run.store.newest() is None
    run.checkpoint()
    live = content(run.buffer)
    assert_same(run.resume(), live)


def test_a_log_with_a_gap_is_refused(tmp_path, monkeypatch):
    """Rows that do not reach as far as the checkpoint says are an IntegrityError, never a half-filled buffer."""
    monkeypatch.setattr(replay_log, "SMALL_BYTES", 0)
    run = Run(tmp_path / "checkpoints", "plain")
    run.add(5)
    run.checkpoint()
    newest = run.store.newest()
    for frames in ([], list(run.store.frames(newest, "replay"))[:0]):
        saved = decode(run.store.load(newest), lambda log, frames=frames: iter(frames))
        with pytest.raises(IntegrityError, match="up to 0 of 5"):
            ReplayLog(KINDS["plain"](), lambda: 5).restore(saved["replay"])


def test_a_kind_that_is_not_known_is_not_captured_and_said():
    """Hindsight replay changes more than one slot at a time: the reason names it."""
    log = ReplayLog(HerReplayBuffer.__new__(HerReplayBuffer), lambda: 0)
    assert log.capture() is None
    assert log.reason == "a replay buffer of the kind HerReplayBuffer is not captured exactly"


def test_a_run_whose_buffer_is_a_log_continues_bit_for_bit(tmp_path, monkeypatch):
    """Trained, stopped, continued with DQN: the weights are those of a run that was never stopped."""
    monkeypatch.setattr(replay_log, "SMALL_BYTES", 0)
    monkeypatch.setattr(ReportProcess, "_ask", lambda *_: False)
    whole = train("dqn-traffic-2", str(tmp_path / "whole"), every=20, steps=200)
    cut = train("dqn-traffic-2", str(tmp_path / "cut"), every=20, steps=200, cut_at=130)
    assert cut[0]["status"] == "stopped"
    summary, weights = train("dqn-traffic-2", str(tmp_path / "cut"), every=20, steps=200)
    assert (summary["exact"], weights) == (True, whole[1])
    newest = next(CheckpointStore(tmp_path / "cut/checkpoints", "").refs())
    assert len(newest.segments) == 2
