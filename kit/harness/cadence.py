"""How often a run is kept safe: checkpoints by Young and Daly, exports by steps and time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kit.errors import UsageError

DEFAULT_MTBF_S = 12 * 3600.0


@dataclass(frozen=True)
class Cadence:
    """When to checkpoint and export. Nothing in here may change a result.

    By default checkpoints go by time, at an interval that follows from what one costs, between two bounds. The same
    value for both makes it a fixed interval in seconds; ``checkpoint_every_steps`` is one in steps.

    Attributes:
        checkpoint_every_steps: a fixed interval in environment steps; None goes by time.
        checkpoint_min_s: shortest interval by time, seconds.
        checkpoint_max_s: longest interval by time, seconds.
        checkpoint_slow_s: a checkpoint that takes longer to be written (and longer than its interval), seconds, is
            warned of …
        checkpoint_stuck_s: … and one that takes longer than this is an error, seconds.
        mtbf_s: mean time between failures, seconds; a session is 12 h.
        export_every_steps: export at multiples of this many environment steps …
        export_min_s: … but at most this often, seconds.
        keep: checkpoints kept.
    """

    checkpoint_every_steps: int | None = None
    checkpoint_min_s: float = 10.0
    checkpoint_max_s: float = 600.0
    checkpoint_slow_s: float = 30.0
    checkpoint_stuck_s: float = 600.0
    mtbf_s: float = DEFAULT_MTBF_S
    export_every_steps: int = 500
    export_min_s: float = 30.0
    keep: int = 2

    def __post_init__(self) -> None:
        positive = ("checkpoint_min_s", "checkpoint_max_s", "checkpoint_slow_s", "checkpoint_stuck_s")
        for name in (*positive, "mtbf_s", "export_every_steps", "keep"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} must be more than zero, not {getattr(self, name)!r}.")
        if self.checkpoint_min_s > self.checkpoint_max_s:
            raise UsageError(
                f"checkpoint_min_s must be at most checkpoint_max_s, {self.checkpoint_max_s!r}, "
                f"not {self.checkpoint_min_s!r}."
            )
        if self.checkpoint_every_steps is not None and self.checkpoint_every_steps < 1:
            raise UsageError(f"checkpoint_every_steps must be at least 1, not {self.checkpoint_every_steps}.")

    def checkpoint_interval_s(self, cost_s: float) -> float:
        """Young's interval √(2·C·MTBF) for a checkpoint that costs C seconds, within the bounds.

        C is what the run loses: the training thread's stall, and the CPU time of the background write, which takes a
        core from training. Not the wall time of the write: a slow disk alone keeps nobody waiting, and a longer
        interval would only lose more to a failure. Young (1974), Daly (2006): it balances the time spent on
        checkpoints against the time lost to a failure.
        """
        wanted = math.sqrt(2.0 * max(cost_s, 0.0) * self.mtbf_s)
        return min(max(wanted, self.checkpoint_min_s), self.checkpoint_max_s)
