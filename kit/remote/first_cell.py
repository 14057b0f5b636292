"""The first cell of a built notebook: it unpacks the kit that it carries, and puts it on the path.

It runs where nothing of the kit is there yet, so it needs the standard library only. What it unpacks is checked against
its SHA-256 before, lies beside the working folder on Kaggle and in the user's cache elsewhere, appears by one rename,
and is used again by the next notebook that carries the same.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import Any

import kit
from kit.remote.payload import Payload

TAG = "training-kit"
_WIDTH = 1_000
_UNPACK = """
def _unpack_kit(payload, sha256, name):
    import base64, hashlib, io, lzma, os, shutil, tempfile, zipfile
    from pathlib import Path

    data = base64.b64decode(payload)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise RuntimeError("The kit in this notebook is damaged: its SHA-256 is not what was written. Build it again.")
    on_kaggle = any(os.environ.get(key) for key in ("KAGGLE_KERNEL_RUN_TYPE", "KAGGLE_URL_BASE"))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "training-kit"
    fault = None
    for place in (Path.cwd().parent if on_kaggle else cache, Path(tempfile.gettempdir())):
        folder = place / name
        try:
            if not folder.is_dir():
                place.mkdir(parents=True, exist_ok=True)
                partial = tempfile.mkdtemp(prefix=f".{name}-", dir=place)
                with zipfile.ZipFile(io.BytesIO(lzma.decompress(data))) as archive:
                    archive.extractall(partial)
                try:
                    os.rename(partial, folder)
                except OSError:  # another notebook was first
                    shutil.rmtree(partial, ignore_errors=True)
            if folder.stat().st_uid == os.getuid():
                return str(folder)
        except OSError as error:
            fault = error
    raise RuntimeError(f"The kit cannot be unpacked: {fault}")
"""


def first_cell(payload: Payload, parameters: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """Return the source of the cell; ``parameters`` and ``options`` are what ``kit.remote.begin`` hands over."""
    text = "\n".join(textwrap.wrap(payload.text, _WIDTH))
    return (
        f"#@title training-kit {kit.__version__}, carried along: this cell unpacks it\n"
        "import json\nimport sys\n"
        f"{_UNPACK}\n\n"
        f'_kit_payload = """\n{text}\n"""\n'
        f'_kit_folder = _unpack_kit(_kit_payload, "{payload.sha256}", "{payload.name}")\n'
        "if _kit_folder not in sys.path:\n"
        "    sys.path.insert(0, _kit_folder)\n"
        "del _kit_payload, _unpack_kit\n\n"
        "from kit.remote.begin import begin\n\n"
        f"begin(json.loads({json.dumps(dict(parameters))!r}), json.loads({json.dumps(dict(options))!r}))"
    )
