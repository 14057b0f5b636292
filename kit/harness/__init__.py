"""Keeps a run safe: deadlines, crash-safe files, the three layers, throttling. Standard library and psutil only."""
