"""``python -m benchmarks.league.long_one_seed SEED SETTINGS``: learn; the facts are the last line printed."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout

from benchmarks.league.long_measuring import one_job
from benchmarks.league.long_settings import LongSettings


def main(words: list[str]) -> int:
    """Learn; whatever else is printed meanwhile goes to stderr."""
    seed, settings = words
    with redirect_stdout(sys.stderr):
        facts = one_job(LongSettings(**json.loads(settings)), int(seed))
    print(json.dumps(facts))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
