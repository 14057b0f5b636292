"""One file from a server, in a process that holds nothing else: by the real ``pull``, or by a plain copy.

The last line of stdout is JSON: the seconds that each file took until it was on disk, by its name.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import urllib.request
from pathlib import Path

import validation_cli
from kit.remote.download import Address, Download

PIECE = 2**20


def pull(kernel: str, out: str) -> int:
    """Run the real command, with a stopwatch on each file that it downloads; return its exit code."""
    seconds: dict[str, float] = {}
    to = Download.to

    def timed(self: Download, path: Path, address: Address, name: str) -> int:
        began = time.perf_counter()
        size = to(self, path, address, name)
        seconds[path.name] = time.perf_counter() - began
        return size

    Download.to = timed  # type: ignore[method-assign]
    code = validation_cli.main(["pull", kernel, "--out", out, "--json"])
    print(json.dumps(seconds))
    return code


def plain(url: str, out: Path) -> int:
    """Copy in pieces, and sync."""
    began = time.perf_counter()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url) as answer, out.open("wb") as file:
        while piece := answer.read(PIECE):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    print(json.dumps({out.name: time.perf_counter() - began}))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("how", choices=("pull", "plain"))
    parser.add_argument("what", help="owner/slug, or an address")
    parser.add_argument("out")
    chosen = parser.parse_args()
    sys.exit(pull(chosen.what, chosen.out) if chosen.how == "pull" else plain(chosen.what, Path(chosen.out)))
