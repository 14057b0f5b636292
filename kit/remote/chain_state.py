"""The state of a chain, on disk: every session it paid for, and from where the next one continues.

Written before and after each thing that cannot be undone, whole or not at all, so that a chain which was killed at any
instant goes on from what is true. A session is ``intended`` before its push, ``pushed`` once that is certain, ``ended``
once Kaggle says so, and ``taken`` once what it left is safe at home.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from kit.errors import ConfigMismatchError, IntegrityError
from kit.harness.summary import read_json, write_json

SCHEMA = 1
Stage = Literal["intended", "pushed", "ended", "taken"]
Carry = Literal["none", "kernel", "dataset"]


@dataclass
class ChainSession:
    """One session. Times are seconds since 1970; ``from_step`` is where it was to continue, ``step`` what it reached.

    ``former`` is how the version before it ended, empty where there was none, None where that is not known.
    ``carry`` is how it got the run: not at all, as the output of the version before, or as a dataset. ``gpu_hours`` is
    what it cost, by its log. ``without_sources`` is whether Kaggle dropped a source that it names; None from before the
    push until its answer is read, and for good where that never was.
    """

    number: int
    mark: str
    intended_at_s: float
    from_step: int
    carry: Carry = "none"
    limit_s: float | None = None
    stage: Stage = "intended"
    version: int | None = None
    url: str = ""
    pushed_at_s: float = 0.0
    kernel_status: str = ""
    message: str = ""
    run_status: str = ""
    reason: str = ""
    step: int = 0
    gpu_hours: float = 0.0
    without_sources: bool | None = False
    former: str | None = None


@dataclass
class ChainState:
    """A chain: what it runs, its sessions, and the run at home.

    ``identity`` is what decides results and place: another one is another chain. ``home_step`` is the step of the run
    at home (-1: there is none), ``home_sha256`` the archive that was put there. ``carry`` is where the next session
    gets the run from; ``dataset_step`` is the step in the dataset that is ready, ``sent_step`` the one that was
    uploaded last, as the version after ``sent_after``. ``complete`` once the whole run is at home.
    """

    identity: dict[str, Any]
    sessions: list[ChainSession] = field(default_factory=list)
    home_step: int = -1
    home_sha256: str = ""
    carry: Carry = "none"
    dataset_step: int = -1
    dataset_version: int | None = None
    sent_step: int = -1
    sent_after: int = 0
    total_timesteps: int = 0
    complete: bool = False
    stopped: str = ""
    forecast: dict[str, Any] | None = None

    @property
    def last(self) -> ChainSession | None:
        """The newest session."""
        return self.sessions[-1] if self.sessions else None

    @property
    def gpu_hours(self) -> float:
        """What all sessions cost so far."""
        return sum(session.gpu_hours for session in self.sessions)


@dataclass(frozen=True)
class ChainFolder:
    """Where a chain keeps what is its own: beside the run folder, ``<out>.chain``."""

    out: Path

    @property
    def root(self) -> Path:
        """The folder."""
        return self.out.with_name(f"{self.out.name}.chain")

    @property
    def state(self) -> Path:
        """The state."""
        return self.root / "chain.json"

    @property
    def lock(self) -> Path:
        """Held by the one process that works on the chain."""
        return self.root / ".kit" / "lock"

    @property
    def kernel(self) -> Path:
        """The built kernel."""
        return self.root / "kernel"

    @property
    def incoming(self) -> Path:
        """What comes home, before it takes its place."""
        return self.root / "incoming"

    @property
    def replaced(self) -> Path:
        """The run that was at home, while what comes takes its place."""
        return self.root / "replaced"

    @property
    def dataset(self) -> Path:
        """What is uploaded."""
        return self.root / "dataset"

    @property
    def uploads(self) -> Path:
        """The client's unfinished uploads."""
        return self.root / "uploads"


def read_state(path: Path, identity: dict[str, Any]) -> ChainState:
    """Return the state in ``path``, or a new one where there is none.

    Raises:
        ConfigMismatchError: it is that of another chain; names what differs.
        IntegrityError: it is none.
    """
    facts = read_json(path)
    if not facts:
        return ChainState(identity)
    try:
        if facts.pop("schema") != SCHEMA:
            raise ValueError("another schema")  # noqa: TRY301 (one place says what is wrong with the file)
        sessions = [ChainSession(**row) for row in facts.pop("sessions")]
        state = ChainState(**facts, sessions=sessions)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise IntegrityError(f"{path} is not the state of a chain: {error}.", [path.name]) from error
    _refuse_other(path, state.identity, json.loads(json.dumps(identity)))
    return state


def write_state(path: Path, state: ChainState) -> None:
    """Write the state, whole or not at all."""
    write_json(path, {"schema": SCHEMA, **asdict(state)})


def _refuse_other(path: Path, there: dict[str, Any], asked: dict[str, Any]) -> None:
    names = sorted(there.keys() | asked.keys())
    differing = {
        name: (there.get(name), asked.get(name)) for name in names if there.get(name) != asked.get(name)
    }
    if differing:
        told = ", ".join(f"{name} {old!r} there, {new!r} asked for" for name, (old, new) in differing.items())
        raise ConfigMismatchError(
            f"{path.parent} is a chain of other settings: {told}. Give another --out, or --fresh, which moves that one "
            "and its run aside.",
            differing,
        )
