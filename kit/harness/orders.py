"""Orders: what the watchdog process is told once, when it starts: deadlines, limits, and whom to watch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class WatchLimits:
    """What a run may use, beside time.

    Attributes:
        hang_s: seconds without a sign of life that count as a hang, at least.
        end_hang: whether a hang is ended after it was reported; by default it is at the hard deadline.
        memory_bytes: what the training process may hold with its children; None: what the machine has.
        disk_bytes: what ``disk_root`` may hold; None: what its file system has.
        disk_root: the folder that ``disk_bytes`` counts; empty: the run folder.
    """

    hang_s: float = 600.0
    end_hang: bool = False
    memory_bytes: int | None = None
    disk_bytes: int | None = None
    disk_root: str = ""


@dataclass(frozen=True)
class WatchdogOrders:
    """What the watchdog process is told, once. Deadlines are absolute monotonic seconds.

    ``stacks_signal`` is the signal on which the training process writes its stacks; 0 where it does not.
    """

    run_dir: str
    pid: int
    soft_at_s: float
    hard_at_s: float
    session: int
    began_s: float
    limits: WatchLimits = field(default_factory=WatchLimits)
    stacks_signal: int = 0

    def to_json(self) -> str:
        """Return the orders as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> WatchdogOrders:
        """Read what ``to_json`` wrote."""
        facts = json.loads(line)
        return cls(**{**facts, "limits": WatchLimits(**facts["limits"])})
