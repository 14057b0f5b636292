"""Unpacking a run from elsewhere: all of it or nothing, only what a run holds, and it says how to go on."""

import hashlib
import json
import os
import random
import stat
import struct
import zipfile

import pytest

from kit.errors import IntegrityError, KitError, StorageError, UsageError
from kit.harness.archive import package
from kit.harness.checkpoints import CheckpointStore
from kit.harness.unpack import SUMS
from kit.harness.zip_directory import check_directory
from kit.notebooks.unpack import unpack_run
from kit.report.terminal import unpack_text
from validation_cli import main

FACTS = {"notebook": "cart", "config_hash": "h", "notebook_parameters": {"seed": 3}}


@pytest.fixture
def run(tmp_path):
    """The archive of a small run with two checkpoints, away from its folder."""
    root = tmp_path / "runs" / "first"
    store = CheckpointStore(root / "checkpoints", "h")
    for step in (1, 2):
        store.save(step, {"a.bin": os.urandom(50)}, exact=True)
    (root / "run.json").write_text(json.dumps(FACTS))
    (root / "notes.txt").write_text("mine")
    package(root)
    (tmp_path / "there").mkdir()
    for name in ("artifacts.zip", "artifacts.zip.sha256"):
        (root / name).rename(tmp_path / "there" / name)
    return tmp_path / "there" / "artifacts.zip"


def made(path, members, *, listed=True):
    """Write an archive of (name or ZipInfo, data), with SHA256SUMS that are right."""
    members = [("run.json", json.dumps(FACTS)), *members]
    sums = ""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
            content = data.encode() if isinstance(data, str) else data
            sums += f"{hashlib.sha256(content).hexdigest()}  {getattr(name, 'filename', name)}\n"
        if listed:
            archive.writestr(SUMS, sums)
    return path


def left(folder):
    """Return the names in a folder, hidden ones and temporaries too."""
    return sorted(path.name for path in folder.iterdir())


def test_a_run_is_unpacked_and_its_continuation_named(run):
    """The checkpoints verify, what no run writes is left out and said, and the command to go on is there."""
    found = unpack_run(run)
    assert found["run_dir"] == str(run.parent / "cart")
    assert found["left_out"] == ["notes.txt"]
    assert [(one["name"], one["fault"]) for one in found["checkpoints"]] == [
        ("step-000000001", None),
        ("step-000000002", None),
    ]
    assert found["continue_with"].endswith(f"run PATH/TO/cart.ipynb --set seed=3 --out {run.parent / 'cart'}")
    assert found["continue_with"] in unpack_text(found)
    assert CheckpointStore(run.parent / "cart" / "checkpoints", "h").newest().step == 2
    with pytest.raises(UsageError, match="not an empty folder"):
        unpack_run(run)


def test_the_command_line_unpacks(run, tmp_path, capsys):
    """`unpack ARCHIVE --out DIR` exits 0; of something else with 2 or 5, and --json says why."""
    assert main(["unpack", str(run), "--out", str(tmp_path / "deep" / "new"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"]
    assert main(["unpack", str(tmp_path / "none.zip")]) == 2
    (tmp_path / "text.zip").write_text("no zip")
    assert main(["unpack", str(tmp_path / "text.zip"), "--json"]) == 5
    assert "text.zip" in json.loads(capsys.readouterr().out)["error"]


def test_another_sum_beside_it_is_refused(run):
    """Where artifacts.zip.sha256 lies beside the archive, it is what counts."""
    (run.parent / "artifacts.zip.sha256").write_text(f"{'0' * 64}  artifacts.zip\n")
    with pytest.raises(IntegrityError, match="another SHA-256"):
        unpack_run(run)
    assert left(run.parent) == ["artifacts.zip", "artifacts.zip.sha256"]


def test_a_run_whose_checkpoints_are_all_damaged_says_so(tmp_path):
    """It is unpacked, since it is what was archived, but the exit code is 5."""
    path = made(tmp_path / "a.zip", [("checkpoints/step-000000001/manifest.json", "{}")])
    found = unpack_run(path)
    assert not found["ok"]
    assert "manifest" in found["checkpoints"][0]["fault"]
    assert "BAD" in unpack_text(found)


@pytest.mark.parametrize("facts", ["{}", "[]", "no json", "[" * 100_000, '{"notebook": "x"}'])
def test_an_archive_that_is_no_run_is_refused(tmp_path, facts):
    """Without a run.json of ours nothing is unpacked, and the message says what is missing."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("run.json", facts)
        archive.writestr(SUMS, "")
    with pytest.raises(UsageError, match=r"no run\.json"):
        unpack_run(tmp_path / "a.zip")
    assert left(tmp_path) == ["a.zip"]


@pytest.mark.parametrize("notebook", ["../../x", "/etc", "a b", "", None, "-rf", ["x"]])
def test_the_name_of_a_run_is_no_path(tmp_path, notebook):
    """A notebook's name that is a path does not decide where it is unpacked."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        data = json.dumps({**FACTS, "notebook": notebook})
        archive.writestr("run.json", data)
        archive.writestr(SUMS, f"{hashlib.sha256(data.encode()).hexdigest()}  run.json\n")
    assert unpack_run(tmp_path / "a.zip")["run_dir"] == str(tmp_path / "run")


RESERVED = [
    ".kit/lock",
    ".kit/stop",
    "artifacts.zip",
    "artifacts.zip.sha256",
    "logs/x.lock",
    "figures/.hidden/a",
]
NAMES = [
    "/etc/x",
    "../x",
    "a/../../x",
    "a\\b",
    "C:/x",
    "a\nb",
    "x" * 256,
    "logs/con.txt",
    "logs/a.",
    "a/" * 40 + "b",
]


@pytest.mark.parametrize("name", RESERVED + NAMES)
def test_names_that_no_archive_holds_are_refused(tmp_path, name):
    """Control files, locks, an archive in itself, and every way out of the folder."""
    info = zipfile.ZipInfo("placeholder")
    info.filename = name
    with pytest.raises(IntegrityError):
        unpack_run(made(tmp_path / "a.zip", [(info, "1")]))
    assert left(tmp_path) == ["a.zip"]


def test_a_name_with_a_nul_is_refused(tmp_path):
    """Zipfile cuts a name at its NUL; what stands in the archive is what counts."""
    path = made(tmp_path / "a.zip", [("logs/aXb", "1")])
    path.write_bytes(path.read_bytes().replace(b"logs/aXb", b"logs/a\0b"))
    with pytest.raises(IntegrityError):
        unpack_run(path)
    assert left(tmp_path) == ["a.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_devices_are_refused(tmp_path, kind):
    """Only regular files are unpacked."""
    info = zipfile.ZipInfo("logs/x")
    info.external_attr = (kind | 0o777) << 16
    with pytest.raises(IntegrityError, match="link or a device"):
        unpack_run(made(tmp_path / "a.zip", [(info, "/etc/passwd")]))
    assert left(tmp_path) == ["a.zip"]


@pytest.mark.parametrize(
    "names", [("logs/A", "logs/a"), ("Logs/b", "logs/a"), ("logs/\u00e9", "logs/e\u0301"), ("logs", "logs/a")]
)
def test_names_that_are_one_on_some_systems_are_refused(tmp_path, names):
    """Spellings that differ in case or composition only, and a file where a folder is needed."""
    with pytest.raises(IntegrityError, match="twice"):
        unpack_run(made(tmp_path / "a.zip", [(name, "1") for name in names]))


def test_a_member_that_is_not_listed_is_refused(tmp_path):
    """An archive without sums, or with a member that they do not cover, was not made by a run."""
    with pytest.raises(IntegrityError, match="holds no SHA256SUMS"):
        unpack_run(made(tmp_path / "a.zip", [("metrics.csv", "1")], listed=False))
    with zipfile.ZipFile(made(tmp_path / "b.zip", []), "a") as archive:
        archive.writestr("metrics.csv", "1")
    with pytest.raises(IntegrityError, match="not in both"):
        unpack_run(tmp_path / "b.zip")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    """204 KB that unpack to 210 MB leave nothing behind."""
    path = made(tmp_path / "a.zip", [("metrics.csv", bytes(210_000_000))])
    assert path.stat().st_size < 250_000
    with pytest.raises(IntegrityError, match="bomb"):
        unpack_run(path)
    assert left(tmp_path) == ["a.zip"]


def test_members_that_share_their_bytes_are_refused(tmp_path):
    """Two directory entries over one member, however small."""
    path = made(tmp_path / "a.zip", [("logs/a", "1"), ("logs/b", "1")])
    data = path.read_bytes()
    first = data.index(b"logs/a") - 30
    entry = data.index(b"PK\x01\x02", data.rindex(b"logs/a") + 6)
    path.write_bytes(data[: entry + 42] + struct.pack("<L", first) + data[entry + 46 :])
    with pytest.raises(IntegrityError, match="shares its bytes"):
        unpack_run(path)


@pytest.mark.parametrize("where", ["directory", "member"])
def test_a_directory_that_says_something_else_is_refused(tmp_path, where):
    """Size, checksum and method stand twice; an archive in which they differ can be read in two ways."""
    path = made(tmp_path / "a.zip", [("metrics.csv", "1" * 100)])
    data = bytearray(path.read_bytes())
    at = data.index(b"metrics.csv") - 30 + 22 if where == "member" else data.rindex(b"metrics.csv") - 46 + 24
    data[at : at + 4] = struct.pack("<L", 10)
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="than the directory says"):
        unpack_run(path)


def many(count, said=None):
    """Return an archive of ``count`` empty members that all are the first one, said to be ``said``."""
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", *(0,) * 18)
    size, said = len(entry) * count, count if said is None else said
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 0, 0, 0, 0, said, said, size, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, size, 1)
    return entry * count + end64 + locator + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("said", [None, 1])
def test_a_huge_number_of_members_is_refused_unlisted(tmp_path, said, monkeypatch):
    """200,000 empty members are refused before a list of them is made, whatever number the archive admits."""
    path = tmp_path / "a.zip"
    path.write_bytes(many(200_000, said))
    monkeypatch.setattr(zipfile, "ZipInfo", None)
    with pytest.raises(IntegrityError, match="members"):
        unpack_run(path)


def test_large_archives_are_read_too(tmp_path, monkeypatch):
    """The end record of archives beyond the old limits is understood."""
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    path = made(tmp_path / "a.zip", [("metrics.csv", "1")])
    assert b"PK\x06\x06" in path.read_bytes()
    with path.open("rb") as file:
        check_directory(file, 3)
    assert unpack_run(path)["files"] == 2


def test_an_encrypted_member_is_refused(tmp_path):
    """It says so, and asks for no password."""
    path = made(tmp_path / "a.zip", [("metrics.csv", "1")])
    data = bytearray(path.read_bytes())
    for at in (data.index(b"metrics.csv") - 30 + 6, data.rindex(b"metrics.csv") - 46 + 8):
        data[at] |= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="encrypted"):
        unpack_run(path)


@pytest.mark.parametrize("extra", [b"x", b"PK\x05\x06" + bytes(18)])
def test_what_stands_before_or_behind_an_archive_is_refused(tmp_path, extra):
    """Bytes that no archive of a run has, by which two readers could see two archives."""
    data = made(tmp_path / "a.zip", [("metrics.csv", "1")]).read_bytes()
    for content in (extra + data, data + extra):
        (tmp_path / "b.zip").write_bytes(content)
        with pytest.raises(KitError):
            unpack_run(tmp_path / "b.zip")


@pytest.mark.parametrize("every", [40, pytest.param(1, marks=pytest.mark.slow)])
def test_no_flipped_byte_is_taken_for_the_run(run, tmp_path, every):
    """At every position (by default some), without the sum beside it: refused, or unpacked just as it was."""
    (run.parent / "artifacts.zip.sha256").unlink()
    data, out = run.read_bytes(), tmp_path / "out"
    found = unpack_run(run, tmp_path / "sound")
    wanted = {path.relative_to(tmp_path / "sound"): path.read_bytes() for path in _files(tmp_path / "sound")}
    chance = random.Random(0)
    for at in range(0, len(data), every):
        changed = bytearray(data)
        changed[at] ^= chance.randrange(1, 256)
        run.write_bytes(changed)
        try:
            unpack_run(run, out)
        except KitError:
            assert not out.exists()
            continue
        assert {path.relative_to(out): path.read_bytes() for path in _files(out)} == wanted
        for path in sorted(out.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        out.rmdir()
    assert found["ok"]


def test_no_cut_archive_is_taken_for_the_run(run, tmp_path):
    """Cut anywhere it is refused, and nothing appears."""
    (run.parent / "artifacts.zip.sha256").unlink()
    data = run.read_bytes()
    for size in range(0, len(data), 29):
        run.write_bytes(data[:size])
        with pytest.raises(KitError):
            unpack_run(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_disk_without_room_is_said_beforehand(run, monkeypatch, tmp_path):
    """Nothing is written where the declared sizes do not fit."""
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr("kit.harness.unpack.shutil.disk_usage", lambda _: usage)
    with pytest.raises(StorageError, match="10 are free"):
        unpack_run(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def _files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]
