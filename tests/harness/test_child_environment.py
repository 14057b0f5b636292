"""What a child process of the kit finds on its path."""

import os
import subprocess
import sys
from pathlib import Path

import kit
from kit.harness.child_environment import ROOT, with_the_kit


def test_the_kit_comes_first_and_once_and_the_working_folder_not_at_all():
    """What was on PYTHONPATH follows in its order; all other variables stay; what was handed in is not changed."""
    root, there = str(ROOT), {"PYTHONPATH": os.pathsep.join(["/b", "", str(ROOT), "/a", "/b"]), "HOME": "/h"}
    assert with_the_kit(there) == {"PYTHONPATH": os.pathsep.join([root, "/b", "/a"]), "HOME": "/h"}
    assert there["PYTHONPATH"].startswith("/b")
    assert with_the_kit({}) == {"PYTHONPATH": root}


def test_a_child_imports_this_kit_from_any_folder(tmp_path: Path):
    """Even where a folder named kit lies in the working folder."""
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit/__init__.py").write_text("raise SystemExit('another kit')")
    said = subprocess.run(
        [sys.executable, "-P", "-c", "import kit; print(kit.__file__)"],
        cwd=tmp_path,
        env=with_the_kit({**os.environ, "PYTHONPATH": ""}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == str(Path(kit.__file__).resolve())
