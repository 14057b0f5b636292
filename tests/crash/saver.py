"""A process that saves without end, to be killed: ``python -m tests.crash.saver KIND FOLDER COUNT``.

After each save it writes its number to stdout, one a line: what has been acknowledged must survive.
Every saved thing carries its number and proves itself, so that a mixture of two is told from either.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from kit.harness.checkpoints import CheckpointStore
from kit.harness.rows import AppendOnlyRows
from kit.harness.segment_format import BLOCK, SEGMENTS, Frame
from kit.harness.segments import Append, SegmentLog
from kit.harness.store import atomic_write, committed_directory, sweep

MARK = "/begin-of-saving"
"""Looked up (in vain) before each save, so that a trace of system calls shows where one begins."""


def content(number: int, size: int = 3_000) -> bytes:
    """Return bytes that hold their number and prove themselves."""
    body = f"{number}\n".encode() + number.to_bytes(4, "little") * (size // 4)
    return hashlib.sha256(body).hexdigest().encode() + body


def number_of(data: bytes) -> int:
    """Return the number of a content; raises AssertionError for bytes that are not whole."""
    digest, body = data[:64], data[64:]
    assert hashlib.sha256(body).hexdigest().encode() == digest, "torn or mixed content"
    return int(body.split(b"\n", 1)[0])


def _save_file(folder: Path, number: int) -> None:
    atomic_write(folder / "file", content(number))


def _save_directory(folder: Path, number: int) -> None:
    with committed_directory(folder / "best") as new:
        (new / "model").write_bytes(content(number))
        (new / "facts").write_bytes(content(number))


def _save_checkpoint(folder: Path, number: int) -> None:
    files = {"model.bin": content(number), "state.bin": content(number)}
    CheckpointStore(folder / "checkpoints", "h").save(number, files, exact=True)


class Row(Append):
    """Row ``number`` - 1 of a log of which the three newest are needed."""

    def __init__(self, number: int) -> None:
        super().__init__("rows", number - 1, number, max(0, number - 3))

    def frames(self) -> Iterator[Frame]:
        """Yield the row, in a frame of one block."""
        yield Frame(self.start, self.end, content(self.end))


_SESSIONS: dict[Path, CheckpointStore] = {}
"""The store of the session that main() is; any other save is a session of its own."""


def _session(folder: Path) -> CheckpointStore:
    store = CheckpointStore(folder / "checkpoints", "h")
    store._log = SegmentLog(store.root / SEGMENTS, segment_bytes=2 * BLOCK)
    newest = store.newest(_refuse)
    if newest is not None:
        store.continue_from(newest)
    return store


def _save_appending(folder: Path, number: int) -> None:
    store = _SESSIONS.get(folder) or _session(folder)
    store.save(number, {"model.bin": content(number)}, exact=True, append=[Row(number)])


def _save_row(folder: Path, number: int) -> None:
    with AppendOnlyRows(folder / "metrics.csv", ["loss", "text"]) as rows:
        rows.append({"step": number, "loss": number / 7, "text": f"a,{number}"})


def _widen_rows(folder: Path, number: int) -> None:
    with AppendOnlyRows(folder / "metrics.csv", ["loss"]) as rows:
        rows.append({"step": number, "loss": number / 7, f"c{number}": number})


KINDS: dict[str, Callable[[Path, int], None]] = {
    "file": _save_file,
    "directory": _save_directory,
    "checkpoint": _save_checkpoint,
    "appending": _save_appending,
    "row": _save_row,
    "wider": _widen_rows,
}


def last_saved(kind: str, folder: Path) -> int:
    """Return the number of the newest save that is there, 0 where none is; raises where one is not whole."""
    if kind == "file":
        path = folder / "file"
        return number_of(path.read_bytes()) if path.exists() else 0
    if kind == "directory":
        numbers = {number_of(path.read_bytes()) for path in (folder / "best").glob("*")}
        assert len(numbers) < 2, "a directory of two saves"
        assert len(list((folder / "best").glob("*"))) in (0, 2), "half a directory"
        return numbers.pop() if numbers else 0
    if kind in ("checkpoint", "appending"):
        store = CheckpointStore(folder / "checkpoints", "h")
        newest = store.newest(_refuse)
        if newest is None:
            return 0
        assert {number_of(data) for data in store.load(newest).values()} == {newest.step}
        if kind == "appending":
            frames = list(store.frames(newest, "rows"))
            assert [number_of(bytes(frame.data)) for frame in frames] == [frame.end for frame in frames]
            assert frames[0].start <= max(0, newest.step - 3)
            assert frames[-1].end == newest.step
        return newest.step
    path = folder / "metrics.csv"
    if not path.exists():
        return 0
    with AppendOnlyRows(path) as rows:
        for number, row in enumerate(rows.rows(), start=1):
            assert (row["step"], row["loss"]) == (number, number / 7)
            assert kind == "wider" or row["text"] == f"a,{number}"
        return rows.last_step or 0


def _refuse(path: Path, why: str) -> None:
    raise AssertionError(f"a kill left a checkpoint that does not verify: {why}")


def main() -> None:
    """Save again and again, from the number after the last one that is there."""
    kind, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    sweep(folder)
    first = last_saved(kind, folder) + 1
    if kind == "appending":
        _SESSIONS[folder] = _session(folder)
    for number in range(first, first + count):
        os.access(MARK, os.F_OK)
        KINDS[kind](folder, number)
        os.write(1, f"{number}\n".encode())


if __name__ == "__main__":
    main()
