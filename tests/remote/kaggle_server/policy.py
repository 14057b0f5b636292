"""What the service allows and how it behaves where reports of it differ; each a setting of the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """Limits and habits of the service. Durations in seconds, sizes in bytes."""

    longest_session_s: float = 12 * 3600.0
    gpu_sessions: int = 2
    cpu_sessions: int = 5
    gpu_quota_s: float = 30 * 3600.0
    largest_source_bytes: int = 1_000_000
    """Of the code file: "The kernel source must be less than 1 megabytes in size"."""
    url_lifetime_s: float = 3600.0
    api_version: str = "2.2.5"
    """What X-Kaggle-ApiVersion says: an older CLI then prints a warning before its answer."""
    keeps_cancelled_output: bool = True
    """Reports of it differ: one cancelled run kept its output, one lost everything."""
    mounts_cancelled_output: bool = False
    """Whether the output of a version that is not COMPLETE can be a source."""
    owner_in_mounts: bool = False
    """``/kaggle/input/notebooks/<owner>/<slug>`` and ``…/datasets/<owner>/<slug>`` as seen in 2026, else
    ``/kaggle/input/<slug>``."""
    unpacks_archives: bool = True
    """A zip or tar file of a dataset is found unpacked, in a folder named like it."""
