"""The run folder: what belongs to a run goes with it, and nothing else does."""

from __future__ import annotations

from pathlib import Path

from kit.harness.run_folder import RunFolder


def test_removing_a_run_leaves_somebodys_files_and_the_locks_only(tmp_path: Path) -> None:
    """What one run found out (how its environment is captured, its peaks) is not taken for the next run's."""
    folder = RunFolder(tmp_path)
    folder.create()
    for path in (folder.run_json, folder.metrics, folder.environment, folder.peaks, folder.lock):
        path.write_text("{}")
    (tmp_path / "notes.txt").write_text("mine")
    folder.remove_run()
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"notes.txt", ".kit/lock"}
