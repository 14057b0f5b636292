"""Verifying finds every flipped byte that a checksum covers, and takes a kill's traces for what they are."""

import hashlib
import json
import os
import random
import zipfile

import pytest

from kit.errors import UsageError
from kit.harness.archive import package, verify
from kit.harness.checkpoints import CheckpointStore
from kit.harness.rows import AppendOnlyRows


@pytest.fixture
def run(tmp_path):
    """A small finished run: JSON, rows, one checkpoint, the best model, its ledger, an archive."""
    root = tmp_path / "run"
    root.mkdir()
    (root / "sessions.json").write_text('{"sessions": [1]}')
    (root / "results.json").write_text('{"delay": 21.4}')
    (root / "report.html").write_text("<html></html>")
    (root / "run.json").write_text('{"notebook": "x"}')
    (root / "executed.ipynb").write_text('{"cells": []}')
    with AppendOnlyRows(root / "metrics.csv", ["loss"]) as rows:
        for step in (1, 2, 3):
            rows.append({"step": step, "loss": step / 3})
    CheckpointStore(root / "checkpoints", "h").save(3, {"m.safetensors": b"\x07" * 20}, exact=True)
    (root / "best").mkdir()
    (root / "best" / "model.bin").write_bytes(b"best")
    facts = {"file": "model.bin", "sha256": hashlib.sha256(b"best").hexdigest()}
    (root / "best" / "best.json").write_text(json.dumps(facts))
    package(root)
    return root


def _with_flip(path, at, mask=1):
    data = bytearray(path.read_bytes())
    data[at] ^= mask
    path.write_bytes(data)


def test_a_sound_run_archive_and_checkpoint_verify(run):
    """All three kinds of path verify, count their files, and give the contract's JSON."""
    for path in (run, run / "artifacts.zip", run / "checkpoints" / "step-000000003", run / "checkpoints"):
        report = verify(path)
        assert (report.ok, report.bad) == (True, [])
        assert report.files > 0
        assert {"ok", "files", "bad"} <= json.loads(json.dumps(report.to_json())).keys()
    assert verify(run / "artifacts.zip.sha256").ok


def test_verifying_changes_nothing(run):
    """No file is written, touched or swept by looking."""
    (run / f".x.{os.getpid()}.0123abcd.tmp").write_text("")
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    verify(run)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


@pytest.fixture
def tiny(tmp_path):
    """The path of an archive of a few hundred bytes, small enough to try every one of them."""
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "run.json").write_text('{"notebook": "x"}')
    (tmp_path / "tiny" / "a.png").write_bytes(b"\x89PNG")
    return package(tmp_path / "tiny").path


def _flips(path):
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
        yield at
    path.write_bytes(whole)


def test_every_flipped_byte_of_the_archive_is_found(tiny):
    """One changed byte anywhere in the zip, its directory and end included, makes it bad."""
    for at in _flips(tiny):
        report = verify(tiny)
        assert "artifacts.zip" in report.bad, f"byte {at}"
    assert verify(tiny).ok


def test_bytes_added_or_missing_are_found(run):
    """Trailing bytes, an archive comment, a cut end and an empty file are all bad."""
    path = run / "artifacts.zip"
    whole = path.read_bytes()
    for data in (whole + b"x", whole[:-2] + b"\x01\x00x", whole[:-1], whole[: len(whole) // 2], b""):
        path.write_bytes(data)
        assert not verify(path).ok


def test_without_the_sum_beside_it_no_content_changes_unnoticed(tiny):
    """SHA256SUMS alone finds every flip that changes a member, and the report says what is not covered."""

    def contents():
        with zipfile.ZipFile(tiny) as archive:
            return {info.filename: archive.read(info) for info in archive.infolist()}

    tiny.with_name("artifacts.zip.sha256").unlink()
    report, intact = verify(tiny), contents()
    assert report.ok
    assert "artifacts.zip.sha256 is missing" in report.notes[0]
    assert sum(not verify(tiny).ok or contents() == intact for _ in _flips(tiny)) == tiny.stat().st_size


def test_random_bytes_never_raise(tmp_path):
    """Whatever bytes stand there, verifying reports; it does not crash."""
    rng = random.Random(0)
    path = tmp_path / "artifacts.zip"
    for _ in range(200):
        path.write_bytes(rng.choice([b"", b"PK\x03\x04", b"PK\x05\x06"]) + rng.randbytes(rng.randrange(60)))
        assert not verify(path).ok


def test_members_missing_surplus_and_unlisted_are_found(tmp_path):
    """SHA256SUMS and the members must name the same files."""
    path = tmp_path / "a.zip"

    def bad(members):
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in members.items():
                archive.writestr(name, text)
        return verify(path).bad

    line = f"{hashlib.sha256(b'1').hexdigest()}  x\n"
    assert bad({"x": "1", "SHA256SUMS": line}) == []
    assert bad({"x": "1"}) == ["SHA256SUMS"]
    assert bad({"x": "1", "y": "1", "SHA256SUMS": line}) == ["y"]
    assert bad({"SHA256SUMS": line}) == ["x"]
    assert bad({"x": "2", "SHA256SUMS": line}) == ["x"]
    assert bad({"x": "1", "SHA256SUMS": line + line}) == ["SHA256SUMS"]


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("checkpoints/step-000000003/m.safetensors", 5),
        ("checkpoints/step-000000003/manifest.json", 40),
        ("run.json", 0),
        ("best/model.bin", 0),
        ("best/best.json", 0),
        ("metrics.csv", 0),
    ],
)
def test_damage_in_a_run_folder_is_named(run, name, at):
    """A flipped byte in what has a sum or a form is reported by the file's name within the run."""
    _with_flip(run / name, at, mask=0x80)
    report = verify(run)
    assert report.bad == [name]
    assert report.reasons[name]


def test_a_damaged_archive_in_a_run_folder_is_found(run):
    """Verifying the run verifies its archive too."""
    _with_flip(run / "artifacts.zip", 60)
    assert not verify(run).ok


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("results.json", "21.4", "11.4"),
        ("metrics.csv", "0.33", "0.13"),
        ("report.html", "</html>", "junk</html>"),
    ],
)
def test_a_loose_file_that_still_parses_is_compared_with_the_archive(run, name, old, new):
    """An edited result, a digit of a metric and junk in the report are found where no session has run since."""
    path = run / name
    path.write_text(path.read_text().replace(old, new))
    report = verify(run)
    assert report.bad == [name]
    assert "no session has run since" in report.reasons[name]


@pytest.mark.parametrize("sign", ["sessions.json", ".kit/lock", ".kit/finalising"])
def test_files_of_a_run_that_went_on_are_noted_and_not_bad(run, sign):
    """A new session, a launch or a broken-off finalisation after the archive: the files may differ, and it is said."""
    later_ns = (run / "artifacts.zip").stat().st_mtime_ns + 1
    (run / sign).parent.mkdir(exist_ok=True)
    (run / sign).write_text('{"sessions": [1, 2]}')
    os.utime(run / sign, ns=(later_ns, later_ns))
    (run / "results.json").write_text('{"delay": 20.0}')
    report = verify(run)
    assert report.ok
    assert "results.json" in report.notes[0]
    assert report.parsed == (2 if sign == "sessions.json" else 1)


def test_what_no_checksum_covers_is_said_to_be_only_parsed(run):
    """A file that joined after the archive, and all loose files of a run without one, are not claimed as checked."""
    checked = verify(run)
    assert (checked.parsed, checked.notes) == (0, [])
    (run / "extra.json").write_text("{}")
    report = verify(run)
    assert (report.ok, report.parsed, report.files) == (True, 1, checked.files)
    assert report.notes == ["No checksum covers these, so they were only parsed: extra.json."]
    (run / "artifacts.zip").unlink()
    assert verify(run).parsed == 8


def test_what_a_kill_leaves_is_noted_and_not_bad(run):
    """A torn last row, a cut notebook and a temporary are no damage; the report still mentions them."""
    with (run / "metrics.csv").open("ab") as file:
        file.write(b"4,0.3")
    (run / "executed.ipynb").write_text('{"cells": [')
    (run / "checkpoints" / ".step-000000004.1.0123abcd.tmp").mkdir()
    report = verify(run)
    assert report.ok
    assert len(report.notes) == 3


def test_a_path_that_is_no_run_is_a_usage_error(tmp_path):
    """Nothing there, or a folder without anything of a run: an error, not a good report over zero files."""
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(UsageError, match=str(path)):
            verify(path)
