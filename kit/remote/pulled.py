"""What was pulled, noted in the run folder: so that an output is not downloaded again where no checksum can tell it.

An output with an archive and the archive's sum is known by the sum. One of loose files, or of an archive alone, is
known by what can be had without its files: their names, and the session's log, in which each line has its time; and by
one small file, the ledger of the run's sessions.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from kit.errors import IntegrityError, StorageError
from kit.harness.store import sha256_file
from kit.harness.summary import read_json, write_json
from kit.harness.verify import ARCHIVE, LEDGER
from kit.remote.output_listing import OutputListing
from kit.remote.output_run import OutputRun

PLACE = ".kit/pulled.json"


@dataclass(frozen=True)
class Pulled:
    """One pull.

    Attributes:
        output: what the output was known by, see ``known_by``.
        ledger: the SHA-256 of the sessions' ledger as it came, empty where there was none.
        archive: the SHA-256 of the archive in the run folder when all was done: another one was made here since.
        loose: whether the loose files were taken.
        unverified: the files that came, and that no checksum covered.
    """

    output: str
    ledger: str
    archive: str
    loose: bool
    unverified: list[str]

    def note_in(self, run_dir: Path) -> None:
        """Write it into a run folder."""
        (run_dir / PLACE).parent.mkdir(exist_ok=True)
        write_json(run_dir / PLACE, asdict(self))


def read_pulled(run_dir: Path) -> Pulled | None:
    """Return what was noted in a run folder; None where nothing was, or where something was done there since."""
    try:
        found = Pulled(**read_json(run_dir / PLACE))
        return found if sha256_file(run_dir / ARCHIVE) == found.archive else None
    except (TypeError, OSError, IntegrityError, StorageError):
        return None


def known_by(listing: OutputListing, run: OutputRun, kernel: str) -> str:
    """Return what tells an output from every other one, as far as its listing can."""
    facts = [kernel, run.root, sorted(run.names), listing.log]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def ledger_sum(run_dir: Path) -> str:
    """Return the SHA-256 of the sessions' ledger in a folder, empty where there is none."""
    path = run_dir / LEDGER
    return sha256_file(path) if path.is_file() else ""
