"""Unpacking: all of it or nothing, and never outside the folder or past the limits."""

import os
import stat
import struct
import zipfile

import pytest

from kit.errors import IntegrityError, UsageError
from kit.harness.archive import ExtractLimits, package, safe_extract

SMALL = ExtractLimits(max_files=5, max_bytes=10_000, max_ratio=20, ratio_from_bytes=2_000)


def _zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def test_a_run_comes_back_as_it_was(tmp_path):
    """What was packed is unpacked byte for byte, without SHA256SUMS, and a run can be continued there."""
    run = tmp_path / "run"
    (run / "checkpoints" / "step-000000001").mkdir(parents=True)
    files = {"run.json": b"{}", "checkpoints/step-000000001/m.bin": os.urandom(100_000)}
    for name, data in files.items():
        (run / name).write_bytes(data)
    unpacked = safe_extract(package(run).path, tmp_path / "out")
    assert sorted(unpacked) == sorted(files)
    there = {
        p.relative_to(tmp_path / "out").as_posix(): p.read_bytes() for p in (tmp_path / "out").rglob("*.*")
    }
    assert {name: data for name, data in there.items() if "." in name.rsplit("/", 1)[-1]} == files


@pytest.mark.parametrize(
    "name", ["/etc/x", "../x", "a/../../x", "a//b", "./a", "C:/x", "a\\..\\x", "a\nb", "x" * 300, "a\0b", ""]
)
def test_names_that_leave_the_folder_are_refused(tmp_path, name):
    """Absolute, climbing, foreign and unprintable names are refused before a byte is written."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        archive.writestr("good", "1")
        archive.writestr(info, "1")
    with pytest.raises(IntegrityError):
        safe_extract(tmp_path / "a.zip", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path, kind):
    """Only regular files are unpacked."""
    info = zipfile.ZipInfo("link")
    info.external_attr = (kind | 0o777) << 16
    with pytest.raises(IntegrityError, match="link or a device"):
        safe_extract(_zip(tmp_path / "a.zip", [(info, "/etc/passwd")]), tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b/c", "a/b")])
def test_members_that_collide_are_refused(tmp_path, names):
    """The same name twice, or a file where another needs a folder, has no honest meaning."""
    with pytest.raises(IntegrityError, match="twice"):
        safe_extract(_zip(tmp_path / "a.zip", [(name, "1") for name in names]), tmp_path / "out")


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([(str(i), "") for i in range(6)], "6 members"),
        ([("a", os.urandom(6_000)), ("b", os.urandom(6_000))], "12000 bytes"),
        ([("a", bytes(9_000))], "zip bomb"),
    ],
)
def test_too_much_is_refused_from_the_directory_alone(tmp_path, members, why):
    """Too many members, too many bytes, too high a ratio: refused with the figure, nothing unpacked."""
    with pytest.raises(IntegrityError, match=why):
        safe_extract(_zip(tmp_path / "a.zip", members), tmp_path / "out", SMALL)
    assert not (tmp_path / "out").exists()


def test_a_bomb_that_lies_about_its_size_stops_at_what_it_declared(tmp_path):
    """A member whose directory entry claims few bytes yields no more than it claims."""
    path = _zip(tmp_path / "a.zip", [("a", bytes(1_000_000))])
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = data.index(signature) + offset
        data[at : at + 4] = struct.pack("<I", 1_000)
    path.write_bytes(data)
    with pytest.raises(IntegrityError):
        safe_extract(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_overlapping_members_count_as_the_bomb_they_are(tmp_path):
    """Many directory entries over the same bytes exceed the ratio of the whole archive."""
    path = _zip(tmp_path / "a.zip", [("0", os.urandom(800)), ("1", b"")])
    with zipfile.ZipFile(path, "a") as archive:
        first = archive.infolist()[0]
        for number in range(2, 60):
            twin = zipfile.ZipInfo(str(number))
            for field in ("header_offset", "compress_size", "file_size", "CRC", "compress_type"):
                setattr(twin, field, getattr(first, field))
            archive.filelist.append(twin)
        archive._didModify = True
    with pytest.raises(IntegrityError, match="zip bomb"):
        safe_extract(path, tmp_path / "out", ExtractLimits(max_ratio=5, ratio_from_bytes=2_000))


def test_a_damaged_member_unpacks_nothing(tmp_path):
    """One wrong byte in one member, and the folder does not appear."""
    (tmp_path / "run").mkdir()
    for name in ("a.bin", "b.png"):
        (tmp_path / "run" / name).write_bytes(b"0123456789" * 10)
    path = package(tmp_path / "run").path
    data = path.read_bytes()
    at = data.index(b"0123456789")
    path.write_bytes(data[:at] + b"X" + data[at + 1 :])
    with pytest.raises(IntegrityError):
        safe_extract(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_member_that_differs_from_its_sum_unpacks_nothing(tmp_path):
    """A sound zip whose SHA256SUMS says otherwise is refused."""
    path = _zip(tmp_path / "a.zip", [("a", "1"), ("SHA256SUMS", f"{'0' * 64}  a\n")])
    with pytest.raises(IntegrityError, match="SHA256SUMS"):
        safe_extract(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_unpacked_over_what_is_there(tmp_path):
    """A folder that holds something is refused; an empty one is filled; no archive is a usage error."""
    path = _zip(tmp_path / "a.zip", [("a", "1"), ("d/", "")])
    out = tmp_path / "out"
    out.mkdir()
    assert safe_extract(path, out) == ["a"]
    with pytest.raises(UsageError, match="not an empty folder"):
        safe_extract(path, out)
    assert (out / "a").read_text() == "1"
    with pytest.raises(UsageError, match="no archive"):
        safe_extract(tmp_path / "nowhere.zip", out)
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(IntegrityError, match="no zip archive"):
        safe_extract(tmp_path / "text.zip", tmp_path / "other")
