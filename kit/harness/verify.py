"""Whether what a run left is what it wrote: an archive, a run folder, or a checkpoint.

Every file with a checksum is compared with it, the loose files of a run folder with those in its archive, those in an
archive also with the sums that the run in it took down when it wrote them; rows must be well-formed and JSON must
parse. A torn last row or a half-written notebook is what a kill leaves, and a file that changed because a session went
on after the archive was made is as it should be: both are noted, and not bad.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.errors import IntegrityError, StorageError, UsageError
from kit.harness.archived import CHECKPOINTS as CHECKPOINTS
from kit.harness.archived import content_faults
from kit.harness.best import best_sums
from kit.harness.manifest import MANIFEST, STEP_FOLDER, verify_checkpoint
from kit.harness.row_format import check_rows
from kit.harness.store import is_temporary, regular_files, sha256_file
from kit.harness.unpack import (
    DAMAGE,
    ExtractLimits,
    checked_members,
    member_faults,
    open_archive,
    read_sums,
    sums_in,
)

ARCHIVE = "artifacts.zip"
ROWS = ("metrics.csv", "timing.csv")
LEDGER = "sessions.json"
_LOCKS = (".kit/lock", ".kit/finalising")
"""Written whenever a session, a launch or a finalisation takes hold of the folder."""
_LIVE_ON = ("logs/", "executed.ipynb", "executed.partial.ipynb", "tensorboard/")
"""What is still written to after the session has made its archive."""
_RUN_MARKS = ("run.json", "summary.json", CHECKPOINTS, ROWS[0], ARCHIVE)


@dataclass
class VerifyReport:
    """What was looked at and what is wrong with it.

    ``files`` counts the files compared with a checksum, ``parsed`` those without one that could only be read;
    ``bad`` names those at fault, ``reasons`` says why; ``notes`` is what a user should know and what is no fault.
    """

    files: int = 0
    parsed: int = 0
    reasons: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is at fault."""
        return not self.reasons

    @property
    def bad(self) -> list[str]:
        """The files at fault, sorted."""
        return sorted(self.reasons)

    def to_json(self) -> dict[str, Any]:
        """Return ``{ok, files, parsed, bad, reasons, notes}`` for ``--json``."""
        return {
            "ok": self.ok,
            "files": self.files,
            "parsed": self.parsed,
            "bad": self.bad,
            "reasons": dict(sorted(self.reasons.items())),
            "notes": list(self.notes),
        }


def verify(path: Path) -> VerifyReport:
    """Check an archive, a run folder, or a checkpoint's folder; changes nothing.

    Raises:
        UsageError: Nothing is there, or nothing that the kit writes.
    """
    report = VerifyReport()
    if path.is_file():
        _verify_archive(path.with_suffix("") if path.suffix == ".sha256" else path, report, "")
    elif not path.is_dir():
        raise UsageError(f"There is nothing to verify at {path}: no archive, run folder or checkpoint.")
    elif STEP_FOLDER.fullmatch(path.name) or (path / MANIFEST).exists():
        _verify_checkpoint(path, report, "")
    elif any((path / mark).exists() for mark in _RUN_MARKS):
        _verify_run(path, report)
    elif any(STEP_FOLDER.fullmatch(entry.name) for entry in path.iterdir()):
        _verify_checkpoints(path, report, "")
    else:
        raise UsageError(f"{path} holds no run: none of {', '.join(_RUN_MARKS)} is in it.")
    return report


def is_whole(path: Path) -> bool:
    """Whether an archive is as it was made, whatever the state of the run was then."""
    report = VerifyReport()
    _verify_members(path, report, "")
    return report.ok


def _verify_archive(path: Path, report: VerifyReport, prefix: str) -> None:
    """Compare an archive's members with its sums, and then with what the run in it says of them."""
    before = len(report.reasons)
    _verify_members(path, report, prefix)
    if len(report.reasons) == before:
        with open_archive(path) as archive:
            for name, fault in content_faults(archive, sums_in(archive)):
                report.reasons.setdefault(prefix + name, fault)


def _verify_members(path: Path, report: VerifyReport, prefix: str) -> None:
    report.files += 1
    _verify_sum_beside(path, report, prefix)
    try:
        with open_archive(path) as archive:
            members = checked_members(archive, ExtractLimits())
            report.files += len(members)
            for name, fault in member_faults(archive, members):
                report.reasons[prefix + name] = fault
    except IntegrityError as error:
        report.reasons[prefix + path.name] = str(error)
    except DAMAGE as error:
        report.reasons[prefix + path.name] = f"is no readable zip archive: {error}"


def _verify_sum_beside(path: Path, report: VerifyReport, prefix: str) -> None:
    beside = path.with_name(path.name + ".sha256")
    if not beside.is_file():
        report.notes.append(
            f"{prefix}{beside.name} is missing: the members are checked, the archive's own directory is not."
        )
        return
    report.files += 1
    try:
        sums = read_sums(beside.read_bytes())
    except IntegrityError as error:
        report.reasons[prefix + beside.name] = str(error)
        return
    if len(sums) != 1:
        report.reasons[prefix + beside.name] = "does not hold exactly one sum"
    elif sha256_file(path) not in sums.values():
        report.reasons[prefix + path.name] = f"has another SHA-256 than {beside.name} says"


def _verify_checkpoint(path: Path, report: VerifyReport, prefix: str) -> None:
    report.files += 1
    try:
        reference = verify_checkpoint(path)
        report.files += len(reference.files) + len(reference.segments)
    except IntegrityError as error:
        for name in error.bad:
            report.reasons[prefix + name] = str(error)


def _verify_checkpoints(folder: Path, report: VerifyReport, prefix: str) -> None:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and STEP_FOLDER.fullmatch(path.name):
            _verify_checkpoint(path, report, prefix)
        elif is_temporary(path.name):
            report.notes.append(f"{prefix}{path.name} was never finished; the next session clears it.")


def _verify_run(root: Path, report: VerifyReport) -> None:
    if (root / CHECKPOINTS).is_dir():
        _verify_checkpoints(root / CHECKPOINTS, report, f"{CHECKPOINTS}/")
    sums: dict[str, str] = {}
    if (root / ARCHIVE).is_file():
        _verify_archive(root / ARCHIVE, report, f"{ARCHIVE}/")
        sums = _archived_sums(root / ARCHIVE)
    loose = {
        name: path
        for name, path in regular_files(root)
        if not name.startswith((f"{CHECKPOINTS}/", ".")) and name not in (ARCHIVE, f"{ARCHIVE}.sha256")
    }
    uncut = {name: path for name, path in loose.items() if _is_well_formed(name, path, report)}
    for name in _verify_best(root / "best", report):
        uncut.pop(name, None)
    _verify_loose(root, uncut, sums, report)


def _archived_sums(path: Path) -> dict[str, str]:
    """Return the sums that an archive holds, by name; none where it cannot be read, which is reported elsewhere."""
    try:
        with open_archive(path) as archive:
            return sums_in(archive)
    except (IntegrityError, *DAMAGE):
        return {}


def _is_well_formed(name: str, path: Path, report: VerifyReport) -> bool:
    """Read what has a form: rows, JSON, notebooks. A fault, or the cut that a kill leaves, goes to the report."""
    if name in ROWS:
        check = check_rows(path)
        if check.torn:
            report.notes.append(f"{name}: {check.damage}; the next session cuts it off.")
        elif check.damage is not None:
            report.reasons[name] = check.damage
        return check.damage is None
    fault = _json_fault(path) if path.suffix in (".json", ".ipynb") else None
    if fault is None:
        return True
    if path.suffix == ".json":
        report.reasons[name] = fault
    else:
        report.notes.append(f"{name} {fault}: notebooks are not written atomically, and a kill cuts them.")
    return False


def _verify_loose(root: Path, loose: dict[str, Path], sums: dict[str, str], report: VerifyReport) -> None:
    """Compare loose files with the archive's sums; what no sum covers is counted as parsed, and said."""
    changed = [name for name, path in loose.items() if name in sums and sha256_file(path) != sums[name]]
    allowed = changed if _went_on(root, sums) else [name for name in changed if name.startswith(_LIVE_ON)]
    for name in set(changed) - set(allowed):
        report.reasons[name] = f"is not the file that is in {ARCHIVE}, and no session has run since"
    uncovered = sorted(loose.keys() - sums.keys())
    report.parsed += len(uncovered) + len(allowed)
    report.files += len(loose) - len(uncovered) - len(allowed)
    if allowed:
        report.notes.append(f"Changed since {ARCHIVE} was made, so only parsed: {', '.join(allowed)}.")
    if uncovered:
        report.notes.append(f"No checksum covers these, so they were only parsed: {', '.join(uncovered)}.")


def _went_on(root: Path, sums: dict[str, str]) -> bool:
    """Whether the run went on after its archive was made: another ledger of sessions, or a lock taken since."""
    ledger, expected = root / LEDGER, sums.get(LEDGER)
    if expected is None or not ledger.is_file() or sha256_file(ledger) != expected:
        return True
    made_ns = (root / ARCHIVE).stat().st_mtime_ns
    locks = (root / name for name in _LOCKS)
    return any(lock.is_file() and lock.stat().st_mtime_ns > made_ns for lock in locks)


def _json_fault(path: Path) -> str | None:
    try:
        json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError) as error:
        return f"is no JSON ({error})"
    return None


def _verify_best(folder: Path, report: VerifyReport) -> list[str]:
    """Compare the best model's files with the sums that ``best.json`` holds; return their names within the run."""
    try:
        sums = best_sums(folder)
    except (IntegrityError, StorageError) as error:
        report.reasons.setdefault("best/best.json", str(error))
        return []
    report.files += len(sums)
    for name, expected in sums.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            report.reasons[f"best/{name}"] = "is missing"
        elif sha256_file(path) != expected:
            report.reasons[f"best/{name}"] = "has another SHA-256 than best.json says"
    return [f"best/{name}" for name in sums]
