"""How a run stands: summary.json, and the ledger of the sessions that worked on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kit.errors import IntegrityError, StorageError
from kit.harness.atomic import atomic_write
from kit.harness.heartbeat import read_beat
from kit.harness.run_folder import RunFolder

COMPLETE, STOPPED, FAILED = "complete", "stopped", "failed"
RUNNING, DIED = "running", "died"
FORMS = {
    "status": str,
    "reason": str,
    "step": int,
    "total_timesteps": int,
    "sessions": int,
    "elapsed_s": float | int,
}
"""What is read back of summary.json, which may come from elsewhere."""


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in ``path``, or an empty one where there is no such file.

    Raises:
        IntegrityError: the file is there but holds no JSON object.
        StorageError: it cannot be read.
    """
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{path} is not valid JSON: {error}.", [str(path)]) from error
    if not isinstance(data, dict):
        raise IntegrityError(f"{path} does not hold a JSON object.", [str(path)])
    return data


def read_summary(path: Path) -> dict[str, Any]:
    """Return the summary in ``path``, or an empty one where there is none.

    Raises:
        IntegrityError: the file holds something else than a summary.
    """
    facts = read_json(path)
    for name, kind in FORMS.items():
        if facts and not isinstance(facts.get(name), kind):
            raise IntegrityError(f"{path} is no summary: its {name!r} is {facts.get(name)!r}.", [str(path)])
    return facts


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write ``data`` atomically, indented for people."""
    atomic_write(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


@dataclass
class SessionEntry:
    """One session's share of a run: ``elapsed_s`` is wall time from the launch of its command."""

    session: int
    began: str
    elapsed_s: float
    first_step: int
    last_step: int
    end: str


class SessionLedger:
    """sessions.json: every session that worked on the run, the present one last."""

    def __init__(self, folder: RunFolder) -> None:
        self._path, self._heartbeat = folder.sessions, folder.heartbeat
        self.entries = _entries_in(self._path)

    def begin(self, began: str, first_step: int) -> SessionEntry:
        """Add the session that starts now. Nothing is written before ``save``."""
        self.credit_unfinished()
        for earlier in self.entries:
            if earlier.end == RUNNING:
                earlier.end = DIED
        entry = SessionEntry(len(self.entries) + 1, began, 0.0, first_step, first_step, RUNNING)
        self.entries.append(entry)
        return entry

    def credit_unfinished(self) -> None:
        """Credit a last session that never ended with the time up to its last heartbeat."""
        beat = read_beat(self._heartbeat)
        if beat is not None and self.unfinished:
            last = self.entries[-1]
            last.elapsed_s = max(last.elapsed_s, round(beat.beat_s - beat.began_s, 3))

    @property
    def unfinished(self) -> bool:
        """Whether the last session never came to its end: a summary that lies beside it is an earlier one's."""
        return bool(self.entries) and self.entries[-1].end == RUNNING

    @property
    def elapsed_s(self) -> float:
        """Seconds, summed over sessions."""
        return sum(entry.elapsed_s for entry in self.entries)

    def save(self) -> None:
        """Write the ledger."""
        write_json(self._path, {"sessions": [asdict(entry) for entry in self.entries]})


def _entries_in(path: Path) -> list[SessionEntry]:
    try:
        entries = [SessionEntry(**row) for row in read_json(path).get("sessions", [])]
    except TypeError as error:
        raise IntegrityError(f"{path} holds no sessions of a run: {error}.", [str(path)]) from error
    for entry in entries:
        numbers = (entry.session, entry.elapsed_s, entry.first_step, entry.last_step)
        if not all(isinstance(number, int | float) for number in numbers):
            raise IntegrityError(f"{path} holds a session without its numbers: {entry}.", [str(path)])
    return entries
