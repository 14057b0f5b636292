"""The environment variables of a run on Kaggle, as far as they are known, and nothing of this machine's own."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "SUMO_HOME")
"""What the interpreter and its libraries need to be found; tokens, proxies and the kit's own variables stay outside."""


def kaggle_environment(
    home: Path, temporary: Path, *, gpu: bool, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the variables of a batch run whose home and temporary folders are ``home`` and ``temporary``.

    Kaggle's image is built on Colab's, so Colab's variable is there too. A run without a GPU is shown none.
    """
    passed = {name: environ[name] for name in _PASSED_ON if name in environ}
    passed["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), passed.get("PATH", os.defpath)])
    shown = {} if gpu else {"CUDA_VISIBLE_DEVICES": ""}
    return {
        "LANG": "C.UTF-8",
        **passed,
        **shown,
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "MPLBACKEND": "agg",
        "KAGGLE_KERNEL_RUN_TYPE": "Batch",
        "KAGGLE_URL_BASE": "https://www.kaggle.com",
        "COLAB_RELEASE_TAG": "release-colab",
    }
