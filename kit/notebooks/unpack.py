"""Unpacking by hand: the archive of a run from anywhere, checked, and made a run folder that can be continued."""

from __future__ import annotations

import json
import re
import shlex
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from kit.errors import IntegrityError, StorageError, UsageError
from kit.harness.archive import never_archived
from kit.harness.manifest import STEP_FOLDER, verify_checkpoint
from kit.harness.run_folder import OWN, RunFolder
from kit.harness.store import sha256_file
from kit.harness.unpack import DAMAGE, checked_members, extract, open_archive, read_sums, sums_in
from kit.notebooks.locate import notebook_names

MOST_FACTS = 16 * 2**20
"""Bytes of run.json: what is larger is none."""
_SUM_FILE_BYTES = 4096


def unpack_run(archive: Path, out: Path | None = None) -> dict[str, Any]:
    """Unpack the archive of a run, all of it or nothing, and look at the checkpoints in it.

    Files that no run writes are left out. ``out`` is by default a folder beside the archive, of the run's name.
    Returns ``{ok, run_dir, notebook, files, left_out, checkpoints: [{name, fault}], continue_with}``; ``ok`` is false
    where there are checkpoints and none is sound.

    Raises:
        UsageError: there is no such archive, it is no run's, or the folder is not empty.
        IntegrityError: it is damaged or dangerous; nothing was unpacked.
        StorageError: the folder cannot be written.
    """
    if not archive.is_file():
        raise UsageError(f"There is no archive {archive}.")
    _compare_with_sum_beside(archive)
    with open_archive(archive) as opened:
        members = checked_members(opened)
        _refuse_reserved(members)
        facts = _facts_of(opened, archive)
        sums = sums_in(opened)
        _refuse_unlisted(members, sums)
        run_dir = out or archive.parent / _name_of(facts)
        kept = [member for member in members if member.filename.partition("/")[0] in OWN]
        files = extract(opened, kept, run_dir, sums)
    gone = {member.filename for member in members} - set(files) - {"SHA256SUMS"}
    return _found(run_dir, facts, len(files), sorted(gone))


def _found(run_dir: Path, facts: dict[str, Any], files: int, left_out: list[str]) -> dict[str, Any]:
    checkpoints = [
        {"name": path.name, "fault": _fault_of(path)}
        for path in sorted(RunFolder(run_dir).checkpoints.glob("step-*"))
        if STEP_FOLDER.fullmatch(path.name)
    ]
    notebook = _name_of(facts)
    return {
        "ok": not checkpoints or any(one["fault"] is None for one in checkpoints),
        "run_dir": str(run_dir),
        "notebook": notebook,
        "files": files,
        "left_out": left_out,
        "checkpoints": checkpoints,
        "continue_with": command_to_continue(notebook, facts, run_dir),
    }


def _fault_of(path: Path) -> str | None:
    try:
        verify_checkpoint(path)
    except IntegrityError as error:
        return str(error)
    return None


def command_to_continue(notebook: str, facts: dict[str, Any], run_dir: Path) -> str:
    """Return the command that continues the run, with the settings that were given when it was launched.

    Where a notebook lies that has no name in ``notebooks/`` is not in the archive: the user fills that in.
    """
    named = notebook if notebook in notebook_names() else f"PATH/TO/{notebook}.ipynb"
    given = facts.get("notebook_parameters")
    settings = given if isinstance(given, dict) else {}
    words = [f"--set {shlex.quote(f'{name}={value}')}" for name, value in settings.items()]
    return " ".join(
        ["python validation_cli.py run", shlex.quote(named), *words, "--out", shlex.quote(str(run_dir))]
    )


def _compare_with_sum_beside(archive: Path) -> None:
    beside = archive.with_name(archive.name + ".sha256")
    if not beside.is_file():
        return
    try:
        with beside.open("rb") as file:
            sums = read_sums(file.read(_SUM_FILE_BYTES))
    except OSError as error:
        raise StorageError(f"{beside} cannot be read: {error.strerror}.") from error
    if list(sums.values()) != [sha256_file(archive)]:
        raise IntegrityError(f"{archive} has another SHA-256 than {beside.name} says.", [archive.name])


def _refuse_reserved(members: list[zipfile.ZipInfo]) -> None:
    """A lock, a stop request or an archive in an archive is nothing that ``package`` puts there."""
    reserved = [member.filename for member in members if never_archived(member.filename)]
    if reserved:
        raise IntegrityError(f"{reserved[0]!r} is never in the archive of a run.", reserved)


def _refuse_unlisted(members: list[zipfile.ZipInfo], sums: dict[str, str]) -> None:
    names = {member.filename for member in members} - {"SHA256SUMS"}
    differing = sorted(names ^ sums.keys())
    if differing:
        raise IntegrityError(
            f"{differing[0]!r} is in the archive or in SHA256SUMS, but not in both.", differing
        )


def _facts_of(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    """Return run.json; raises UsageError where the archive is no run's, or its session ended before it was one."""
    facts: Any = None
    with suppress(KeyError, ValueError, RecursionError, *DAMAGE), archive.open("run.json") as member:
        facts = json.loads(_at_most(member, MOST_FACTS))  # type: ignore[arg-type]
    if not isinstance(facts, dict) or "config_hash" not in facts:
        raise UsageError(
            f"{path} is not the archive of a run: it holds no run.json of one. Nothing was unpacked."
        )
    return facts


def _at_most(file: BinaryIO, most: int) -> bytes:
    data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"more than {most} bytes")
    return data


def _name_of(facts: dict[str, Any]) -> str:
    """Return the notebook's name where it is one, and not a path to somewhere."""
    name = facts.get("notebook")
    plain = isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}", name)
    return str(name) if plain else "run"
