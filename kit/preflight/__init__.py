"""Checks that a run can learn and can be saved, made before it is long; a workload hands in what it does."""
