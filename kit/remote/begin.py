"""What a built notebook does first, once the kit in it is unpacked: it makes the machine one that a session can use.

Packages that travelled go to the end of the path where they are missing, wheels of attached data sets beside them, the
files that parameters name are laid into the working folder, and the session is told what a command line would have
told it: the parameters that were set, its options, and since when the machine is running.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit.harness.clock import SYSTEM_CLOCK, Clock, process_age_s
from kit.harness.platform import Platform, detect
from kit.launched import BEGAN, OPTIONS, PARAMETERS, given_options
from kit.notebooks.locate import repository_root
from kit.remote.payload import FILES, SITE
from kit.remote.wheels import install_wheels, is_installed

logger = logging.getLogger(__name__)

FOR_THE_MACHINE = frozenset({"session_limit", "soft_limit", "hard_limit"})
"""Options that hold where the notebook was pushed to, and not where somebody opens it by hand."""
SET_AT_ONCE = {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONHASHSEED": "0"}
"""What every process of a run is given: see kit.notebooks.runner.environment. Hashes count from the next process on."""


def begin(
    parameters: Mapping[str, Any],
    options: Mapping[str, Any],
    root: Path | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> None:
    """Make ready for the session that the notebook will open.

    Args:
        parameters: The notebook's parameters that were set when it was built.
        options: Options for its session; limits only where it runs unattended on Kaggle.
        root: Where the kit was unpacked.
        clock: Where the time comes from.

    Raises:
        MissingDependencyError: an attached wheel could not be installed.
    """
    root = root or repository_root()
    platform = detect()
    pushed = platform.kind == "kaggle" and not platform.interactive
    for name, value in SET_AT_ONCE.items():
        os.environ.setdefault(name, value)
    _add_to_path(root / SITE, platform)
    _lay_out(root / FILES, Path.cwd())
    handed = {name: value for name, value in options.items() if pushed or name not in FOR_THE_MACHINE}
    os.environ[PARAMETERS] = json.dumps(dict(parameters))
    os.environ[OPTIONS] = json.dumps({**handed, **given_options()})
    age_s = process_age_s(1)
    if pushed and BEGAN not in os.environ and age_s is not None:
        os.environ[BEGAN] = repr(clock.monotonic() - age_s)


def _add_to_path(site: Path, platform: Platform) -> None:
    """Add the packages that travelled, and attached ones, where they are not installed; for child processes too."""
    travelled = sorted(site.iterdir()) if site.is_dir() else []
    folders = [folder for folder in travelled if not is_installed(folder.name)]
    if platform.input_root is not None and platform.input_root.is_dir():
        attached = site.with_name("attached")
        install_wheels(platform.input_root, attached)
        folders += [attached] if attached.is_dir() else []
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    new = [str(folder) for folder in folders if str(folder) not in sys.path]
    sys.path += new
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [*known, *new]))


def _lay_out(files: Path, folder: Path) -> None:
    """Copy the files that travelled to where the parameters name them; what is there already stays as it is."""
    for source in sorted(files.rglob("*")):
        target = folder / source.relative_to(files)
        if source.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
