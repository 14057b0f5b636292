"""Layer 3: one archive of whatever a run left, the same bytes for the same files."""

import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from kit.errors import StorageError, UsageError
from kit.harness.archive import package, verify
from kit.harness.checkpoints import CheckpointStore
from kit.harness.rows import AppendOnlyRows
from kit.harness.store import sha256_file


@pytest.fixture
def run(tmp_path):
    """A run folder with two checkpoints, rows, JSON, a log and a picture."""
    root = tmp_path / "run"
    root.mkdir()
    (root / "run.json").write_text('{"notebook": "traffic_signal"}')
    (root / "logs").mkdir()
    (root / "logs" / "run.log").write_text("step 1\n" * 500)
    (root / "figures").mkdir()
    (root / "figures" / "learning.png").write_bytes(os.urandom(300))
    with AppendOnlyRows(root / "metrics.csv", ["loss"]) as rows:
        rows.append({"step": 1, "loss": 0.5})
    checkpoints = CheckpointStore(root / "checkpoints", "h")
    for step in (1, 2):
        checkpoints.save(step, {"model.safetensors": os.urandom(200)}, exact=True)
    return root


EXPECTED = [
    "checkpoints/step-000000001/manifest.json",
    "checkpoints/step-000000001/model.safetensors",
    "checkpoints/step-000000002/manifest.json",
    "checkpoints/step-000000002/model.safetensors",
    "figures/learning.png",
    "logs/run.log",
    "metrics.csv",
    "run.json",
]


def _members(path):
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_everything_of_the_run_is_in_it(run):
    """All regular files, sorted, then SHA256SUMS with the sum of each; the archive verifies."""
    made = package(run)
    assert _members(made.path) == [*EXPECTED, "SHA256SUMS"]
    assert (made.files, made.bytes) == (len(EXPECTED), made.path.stat().st_size)
    with zipfile.ZipFile(made.path) as archive:
        sums = archive.read("SHA256SUMS").decode()
    assert sums == "".join(f"{sha256_file(run / name)}  {name}\n" for name in EXPECTED)
    assert verify(made.path).ok


def test_the_sums_are_in_the_format_of_sha256sum(run, tmp_path):
    """The usual tool checks both the archive and, unpacked by the usual library, its members."""
    made = package(run)
    assert (run / "artifacts.zip.sha256").read_text() == f"{made.sha256}  artifacts.zip\n"
    assert made.sha256 == sha256_file(made.path)
    subprocess.run(["sha256sum", "--check", "--strict", "artifacts.zip.sha256"], cwd=run, check=True)
    with zipfile.ZipFile(made.path) as archive:
        archive.extractall(tmp_path / "out")
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path / "out", check=True)


def test_the_same_files_give_the_same_bytes(run):
    """Packing again, later and with other file times, gives the same archive; it never packs itself."""
    first = package(run)
    for name in EXPECTED:
        os.utime(run / name, (1, 1))
    assert package(run).sha256 == first.sha256


def test_text_is_deflated_and_compressed_types_are_stored(run):
    """A log shrinks; pictures and tensors are stored as they are."""
    with zipfile.ZipFile(package(run).path) as archive:
        log, picture = archive.getinfo("logs/run.log"), archive.getinfo("figures/learning.png")
    assert log.compress_size < log.file_size / 10
    assert picture.compress_type == zipfile.ZIP_STORED


def test_what_is_no_result_stays_out(run, tmp_path):
    """Temporaries, control files, locks, links, pipes and odd names stay out."""
    stale = run / f".metrics.csv.{os.getpid()}.0123abcd.tmp"
    stale.write_text("half")
    (run / ".kit").mkdir()
    (run / ".kit" / "lock").write_text("1")
    (run / "a.lock").write_text("1")
    (run / "bad\nname").write_text("1")
    (run / "SHA256SUMS").write_text("of an archive unpacked here before")
    (tmp_path / "secret").write_text("1")
    (run / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(run / "pipe")
    assert _members(package(run).path) == [*EXPECTED, "SHA256SUMS"]
    assert not stale.exists()


def test_a_checkpoint_pruned_meanwhile_is_left_out_whole(run, monkeypatch):
    """A checkpoint that goes between listing and reading leaves no half of itself in the archive."""
    from kit.harness import archive

    real = archive.regular_files

    def listing_then_pruning(folder):
        found = real(folder)
        shutil.rmtree(run / "checkpoints" / "step-000000001", ignore_errors=True)
        (run / "logs" / "run.log").unlink(missing_ok=True)
        return found

    monkeypatch.setattr(archive, "regular_files", listing_then_pruning)
    left = [name for name in EXPECTED if "step-000000001" not in name and name != "logs/run.log"]
    made = package(run)
    assert _members(made.path) == [*left, "SHA256SUMS"]
    assert verify(made.path).ok


def test_an_empty_folder_can_be_packed_and_none_cannot(tmp_path):
    """A run that died before its first file still gives a sound archive; no folder is a usage error."""
    made = package(tmp_path)
    assert (made.files, verify(made.path).ok) == (0, True)
    with pytest.raises(UsageError, match="nowhere"):
        package(tmp_path / "nowhere")


def test_a_failure_keeps_the_archive_before(run, monkeypatch):
    """When the new archive cannot be written, the old one and its sum are as they were."""
    before = package(run)
    (run / "run.json").write_text('{"changed": true}')

    def failing(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(StorageError):
        package(run)
    assert sha256_file(before.path) == before.sha256
    assert (run / "artifacts.zip.sha256").read_text().startswith(before.sha256)


def test_memory_stays_flat(tmp_path):
    """Packing 96 MB needs less than 24 MB more memory than packing nothing."""
    program = """
import resource, sys
from pathlib import Path
from kit.harness.archive import package
small, large = Path(sys.argv[1]), Path(sys.argv[2])
package(small)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
package(large)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    for name in ("small", "large"):
        (tmp_path / name).mkdir()
    for name in ("a.safetensors", "b.log"):
        with (tmp_path / "large" / name).open("wb") as file:
            file.truncate(48 * 2**20)
    arguments = [sys.executable, "-c", program, str(tmp_path / "small"), str(tmp_path / "large")]
    grown_kb = int(subprocess.check_output(arguments, text=True))
    assert grown_kb < 24 * 1024


def test_large_members_are_zip64(run, monkeypatch):
    """A member past the size that plain zip can hold is packed in zip64 (limit lowered here to 1,000 bytes)."""
    from kit.harness import archive

    (run / "big.bin").write_bytes(os.urandom(5_000))
    with monkeypatch.context() as lowered:
        lowered.setattr(zipfile, "ZIP64_LIMIT", 1_000)
        with pytest.raises(RuntimeError, match="too large"):
            package(run)
        lowered.setattr(archive, "_ZIP64_FROM", 900)
        made = package(run)
    assert verify(made.path).ok
    assert "big.bin" in _members(made.path)


def test_a_kill_between_the_archive_and_its_sum_leaves_no_false_sum(run, monkeypatch):
    """With the new archive in place and its sum not yet written, no sum is there, and it verifies."""
    from kit.harness import archive

    package(run)
    (run / "run.json").write_text('{"changed": true}')

    def killed(path, data):
        raise KeyboardInterrupt

    monkeypatch.setattr(archive, "atomic_write", killed)
    with pytest.raises(KeyboardInterrupt):
        package(run)
    report = verify(run / "artifacts.zip")
    assert report.ok
    assert report.notes
