"""A compute budget that adds up: a file of figures with units and marks, held against each other."""

from kit.timing.budget.budget import Budget, parse_budget, read_budget
from kit.timing.budget.probe_file import read_probe, record_probe, why_not_recorded
from kit.timing.budget.record import record

__all__ = [
    "Budget",
    "parse_budget",
    "read_budget",
    "read_probe",
    "record",
    "record_probe",
    "why_not_recorded",
]
