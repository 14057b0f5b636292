"""The directory of a zip archive, walked before anybody makes a list of it, and held against the members it is about.

The layout is the one that the kit writes (APPNOTE.TXT 4.3): members one after another, the central directory, the end
record as the last bytes, no comment, nothing in front. What differs was not written by the kit, and what two readers
could understand differently is refused.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence
from typing import BinaryIO

from kit.errors import IntegrityError

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s4B4HL2L5H2L")
_LOCAL = struct.Struct("<4s2B4HL2L2H")
_SIZES_FOLLOW = 0x8
_IN_EXTRA = 0xFFFFFFFF
_WALKED = 2**20


def check_directory(file: BinaryIO, most: int) -> None:
    """Count the members of an archive by their directory entries, in flat memory.

    Raises:
        IntegrityError: There are more than ``most``, or the directory is not where and what the end record says.
    """
    start, end, said = _bounds(file)
    if said > most:
        raise IntegrityError(f"{said} members, {most} are allowed.")
    file.seek(start)
    count, at, buffer, done = 0, start, b"", 0
    while at < end:
        if len(buffer) - done < _ENTRY.size:
            buffer, done = buffer[done:] + file.read(min(_WALKED, end - at - (len(buffer) - done))), 0
        if len(buffer) - done < _ENTRY.size:
            raise IntegrityError("the directory is cut off.")
        entry = _ENTRY.unpack_from(buffer, done)
        if entry[0] != b"PK\x01\x02":
            raise IntegrityError("the directory is damaged.")
        count += 1
        if count > most:
            raise IntegrityError(f"more members than the {most} that are allowed.")
        length = _ENTRY.size + sum(entry[12:15])
        at, done = at + length, done + length
        if done > len(buffer):  # a name or an extra field beyond what was read
            file.seek(at)
            buffer, done = b"", 0
    if at != end or count != said:
        raise IntegrityError(f"the directory holds {count} members, and says {said}.")


def _bounds(file: BinaryIO) -> tuple[int, int, int]:
    """Return where the directory begins and ends, and how many members it is said to hold."""
    size = file.seek(0, 2)
    tail = _read(file, max(0, size - _END.size - _LOCATOR.size - _END64.size), size)
    if len(tail) < _END.size:
        raise IntegrityError("it is no zip archive.")
    signature, disk, first, here, said, length, offset, comment = _END.unpack(tail[-_END.size :])
    if signature != b"PK\x05\x06" or disk or first or here != said or comment:
        raise IntegrityError("it does not end like an archive of the kit.")
    end = size - _END.size
    locator = tail[-_END.size - _LOCATOR.size : -_END.size]
    if locator[:4] == b"PK\x06\x07":
        end -= _LOCATOR.size + _END64.size
        said, length, offset = _end64(tail, locator, end)
    if offset + length != end:
        raise IntegrityError("its directory is not where it says.")
    return offset, end, said


def _end64(tail: bytes, locator: bytes, end: int) -> tuple[int, int, int]:
    if len(tail) < _END.size + _LOCATOR.size + _END64.size or _LOCATOR.unpack(locator)[1:] != (0, end, 1):
        raise IntegrityError("it does not end like an archive of the kit.")
    signature, size, *_, disk, first, here, said, length, offset = _END64.unpack(tail[: _END64.size])
    if signature != b"PK\x06\x06" or size != _END64.size - 12 or disk or first or here != said:
        raise IntegrityError("it does not end like an archive of the kit.")
    return said, length, offset


def check_layout(file: BinaryIO, members: Sequence[zipfile.ZipInfo], end: int) -> None:
    """Hold the directory against the header in front of each member, and see that no two members share a byte.

    Raises:
        IntegrityError: They say different things, or members overlap each other or the directory, which begins at
            ``end``.
    """
    free_from = 0
    for member in sorted(members, key=lambda one: one.header_offset):
        name = member.orig_filename
        if member.header_offset < free_from:
            raise IntegrityError(f"{name!r} shares its bytes with another member: a zip bomb.", [name])
        header = _read(file, member.header_offset, member.header_offset + _LOCAL.size)
        if len(header) < _LOCAL.size or header[:4] != b"PK\x03\x04":
            raise IntegrityError(f"{name!r} is not where the directory says.", [name])
        _, _, _, flags, method, _, _, crc, packed, unpacked, name_bytes, extra_bytes = _LOCAL.unpack(header)
        if (flags, method) != (member.flag_bits, member.compress_type):
            raise IntegrityError(f"{name!r} is said to be something else in the directory.", [name])
        sizes = (crc, packed, unpacked)
        known = (member.CRC, member.compress_size, member.file_size)
        if not flags & _SIZES_FOLLOW and any(
            here not in (there, _IN_EXTRA) for here, there in zip(sizes, known, strict=True)
        ):
            raise IntegrityError(f"{name!r} has another size or checksum than the directory says.", [name])
        free_from = member.header_offset + _LOCAL.size + name_bytes + extra_bytes + member.compress_size
        if free_from > end:
            raise IntegrityError(f"{name!r} reaches beyond its end.", [name])


def _read(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)
