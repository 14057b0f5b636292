"""``train``: a workload under a session, whichever kind it is of."""

from __future__ import annotations

from benchmarks.forecast.agents import train_agent
from benchmarks.forecast.loops import train_loop
from benchmarks.forecast.workloads import LoopWorkload, Workload
from kit.session import TrainingSession


def train(session: TrainingSession, workload: Workload) -> None:
    """Train ``workload`` up to the session's total; resumes if a checkpoint is there."""
    if isinstance(workload, LoopWorkload):
        train_loop(session, workload)
    else:
        train_agent(session, workload)
