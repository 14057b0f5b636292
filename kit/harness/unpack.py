"""Reading archives that may be damaged or hostile: members checked, sums compared, unpacked within limits.

Covered: names that leave the folder, links, devices, duplicates (also of names that differ in case only), encrypted
members, too many or too large members, zip bombs (by declared size, by ratio, by members that share bytes, and by
what really comes out), a directory that says something else than the members do. Not covered: what the files then
contain.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from kit.errors import IntegrityError, StorageError, UsageError
from kit.harness.atomic import storage_errors
from kit.harness.store import committed_directory
from kit.harness.zip_directory import check_directory, check_layout

SUMS = "SHA256SUMS"
"""The member that holds the SHA-256 sums of all others, in the format of ``sha256sum``."""
CHUNK = 1 << 20
MOST_SUMS = 32 * 2**20
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    RuntimeError,
    OSError,
)
"""What the standard library raises on damaged archives (NotImplementedError is a RuntimeError)."""
LONGEST_NAME, DEEPEST = 1000, 32
"""Bytes of a member's name, and folders in it: more cannot be made everywhere."""
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_SUM_LINE = re.compile(r"(?P<sum>[0-9a-f]{64}) [ *](?P<name>.+)")


@dataclass(frozen=True)
class ExtractLimits:
    """What an archive may ask for: members, bytes unpacked, and bytes unpacked per byte of archive.

    The ratio counts for members and archives that unpack to more than ``ratio_from_bytes``: small files of
    repeated lines are no bombs.
    """

    max_files: int = 20_000
    max_bytes: int = 40 * 2**30
    max_ratio: float = 500.0
    ratio_from_bytes: int = 16 * 2**20


def is_safe_name(name: str) -> bool:
    """Whether a member of this name stays inside the folder it is unpacked into, on any system."""
    parts = name.removesuffix("/").split("/")
    return (
        name.isprintable()
        and not re.search(r'[\\:*?"<>|]', name)
        and len(name.encode("utf-8", "replace")) <= LONGEST_NAME
        and len(parts) <= DEEPEST
        and not any(_is_unsafe_part(part) for part in parts)
    )


def _is_unsafe_part(part: str) -> bool:
    # "..", and on Windows: a name that ends with a dot or a space is that without it, and CON is a device.
    return part.endswith((".", " ")) or not 0 < len(part.encode()) <= 255 or bool(_DEVICE.fullmatch(part))


def checked_members(archive: zipfile.ZipFile, limits: ExtractLimits | None = None) -> list[zipfile.ZipInfo]:
    """Return the file members of an archive, in its order, none of them dangerous.

    Raises:
        IntegrityError: A member that no archive of ours has, or more than ``limits`` allow; names it.
    """
    limits = limits or ExtractLimits()
    members = archive.infolist()
    for member in members:
        if fault := _fault(member, limits):
            raise IntegrityError(f"{member.orig_filename!r} {fault}.", [member.orig_filename])
    files = [member for member in members if not member.is_dir()]
    _refuse_clashes(files)
    _check_totals(archive, files, limits)
    return files


def _refuse_clashes(files: list[zipfile.ZipInfo]) -> None:
    spelt: dict[str, str] = {}
    names = set()
    for member in files:
        if member.filename in names:
            raise IntegrityError(f"{member.filename!r} is there twice.", [member.filename])
        names.add(member.filename)
        path = PurePosixPath(member.filename)
        for one in (path, *path.parents):
            # Where upper and lower case are the same, two spellings are one file.
            if spelt.setdefault(_folded(one), str(one)) != str(one):
                raise IntegrityError(f"{str(one)!r} is there twice, in another case.", [member.filename])
    for name in names:
        # A file where another member needs a folder.
        if any(str(parent) in names for parent in PurePosixPath(name).parents):
            raise IntegrityError(f"{name!r} is there twice.", [name])


def _folded(path: PurePosixPath) -> str:
    return unicodedata.normalize("NFC", str(path).casefold())


def _size(archive: zipfile.ZipFile) -> int:
    assert archive.fp is not None
    return archive.fp.seek(0, 2)


def _check_totals(archive: zipfile.ZipFile, files: list[zipfile.ZipInfo], limits: ExtractLimits) -> None:
    total = sum(member.file_size for member in files)
    if total > limits.max_bytes:
        raise IntegrityError(f"Unpacks to {total} bytes, {limits.max_bytes} are allowed.")
    size = _size(archive)
    # Members that overlap share their compressed bytes, so the whole counts too.
    if total > limits.ratio_from_bytes and total > limits.max_ratio * size:
        raise IntegrityError(f"Unpacks to {total} bytes from {size}: a zip bomb.")


def _fault(member: zipfile.ZipInfo, limits: ExtractLimits) -> str | None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if not is_safe_name(member.orig_filename):
        return "is not a name that is unpacked"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if member.flag_bits & 0x1:
        return "is encrypted"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"is compressed by method {member.compress_type}"
    if member.file_size > limits.max_ratio * max(1, member.compress_size) and (
        member.file_size > limits.ratio_from_bytes
    ):
        return f"unpacks to {member.file_size} bytes from {member.compress_size}: a zip bomb"
    return None


def read_sums(text: bytes) -> dict[str, str]:
    """Return the sums of a file in the format of ``sha256sum``, by name.

    Raises:
        IntegrityError: A line is not of that format, or a name is there twice.
    """
    sums: dict[str, str] = {}
    for line in text.decode("utf-8", "replace").splitlines():
        match = _SUM_LINE.fullmatch(line)
        if match is None or match["name"] in sums:
            raise IntegrityError(f"Not a line of checksums: {line!r}.", [SUMS])
        sums[match["name"]] = match["sum"]
    return sums


def member_faults(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> Iterator[tuple[str, str]]:
    """Yield (name, what is wrong) for members that are not what SHA256SUMS says; each is read once."""
    names = {member.filename for member in members}
    if SUMS not in names:
        yield SUMS, "is missing"
        return
    try:
        sums = sums_in(archive)
    except (IntegrityError, *DAMAGE) as error:
        yield SUMS, f"cannot be read: {error}"
        return
    for name in sorted(sums.keys() - names):
        yield name, "is missing"
    for member in members:
        if member.filename == SUMS:
            continue
        if member.filename not in sums:
            yield member.filename, f"is not listed in {SUMS}"
        elif fault := _sum_fault(archive, member, sums[member.filename]):
            yield member.filename, fault


def _sum_fault(archive: zipfile.ZipFile, member: zipfile.ZipInfo, expected: str) -> str | None:
    try:
        return None if _copy(archive, member, None) == expected else "has another SHA-256"
    except (IntegrityError, *DAMAGE) as error:
        return f"cannot be read: {error}"


def _copy(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: BinaryIO | None) -> str:
    digest, size = hashlib.sha256(), 0
    with archive.open(member) as source:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            if size > member.file_size:
                raise IntegrityError(f"{member.filename} is larger than it says.", [member.filename])
            digest.update(chunk)
            if target is not None:
                target.write(chunk)
    if size != member.file_size:
        raise IntegrityError(f"{member.filename} is smaller than it says.", [member.filename])
    return digest.hexdigest()


def sums_in(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return what the archive's SHA256SUMS says, by name.

    Raises:
        IntegrityError: There is none, or it cannot be read, or is none.
    """
    try:
        member = archive.getinfo(SUMS)
        if member.file_size > MOST_SUMS:
            raise IntegrityError(f"{SUMS} has {member.file_size} bytes.", [SUMS])
        return read_sums(archive.read(member))
    except KeyError as error:
        raise IntegrityError(f"The archive holds no {SUMS}.", [SUMS]) from error
    except DAMAGE as error:
        raise IntegrityError(f"{SUMS} cannot be read: {error}.", [SUMS]) from error


@contextmanager
def open_archive(path: Path, limits: ExtractLimits | None = None) -> Iterator[zipfile.ZipFile]:
    """Open an archive whose directory has been looked through beforehand, before a list of members is made.

    Raises:
        IntegrityError: It is no zip archive, or its directory is not like those that the kit writes.
    """
    limits = limits or ExtractLimits()
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            check_directory(file, limits.max_files)
            archive = stack.enter_context(zipfile.ZipFile(file))
            check_layout(file, archive.infolist(), archive.start_dir)
        except IntegrityError as error:
            raise IntegrityError(f"{path}: {error}", [path.name]) from error
        except DAMAGE as error:
            raise IntegrityError(f"{path} is no zip archive: {error}.", [path.name]) from error
        yield archive


def safe_extract(path: Path, dest: Path, limits: ExtractLimits | None = None) -> list[str]:
    """Unpack an archive into ``dest``, all of it or nothing, and return the names of its files.

    Where the archive holds SHA256SUMS every file is compared with it; SHA256SUMS itself is not unpacked,
    since it does not stay true of a folder that a run continues in.

    Raises:
        UsageError: There is no such archive, or ``dest`` exists and is not an empty folder.
        IntegrityError: The archive is damaged, dangerous, or asks for more than ``limits`` allow.
        StorageError: ``dest`` cannot be written, or has no room.
    """
    if not path.is_file():
        raise UsageError(f"There is no archive {path}.")
    with open_archive(path, limits) as archive:
        members = checked_members(archive, limits or ExtractLimits())
        held = any(member.filename == SUMS for member in members)
        return extract(archive, members, dest, sums_in(archive) if held else None)


def extract(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], dest: Path, sums: dict[str, str] | None
) -> list[str]:
    """Unpack members that were checked, without SHA256SUMS, all or nothing; raises what ``safe_extract`` does."""
    if dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
        raise UsageError(f"{dest} is not an empty folder; nothing is unpacked over what is there.")
    files = [member for member in members if member.filename != SUMS]
    with storage_errors(dest):
        dest.parent.mkdir(parents=True, exist_ok=True)
        free, size = shutil.disk_usage(dest.parent).free, sum(member.file_size for member in files)
    if size > free:
        raise StorageError(f"{dest}: it unpacks to {size:,} bytes, and {free:,} are free.")
    with committed_directory(dest) as temporary:
        for member in files:
            _unpack(archive, member, temporary, sums)
    return [member.filename for member in files]


def _unpack(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, sums: dict[str, str] | None
) -> None:
    target = folder / member.filename
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        try:
            digest = _copy(archive, member, file)
        except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError) as error:
            raise IntegrityError(f"{member.filename} cannot be read: {error}.", [member.filename]) from error
    if sums is not None and sums.get(member.filename) != digest:
        raise IntegrityError(f"{member.filename} is not what {SUMS} says.", [member.filename])
