"""``python -m benchmarks.league.one_seed SEED SETTINGS``: learn with one seed; the facts are the last line printed."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout

from benchmarks.league.kuhn import KuhnSettings
from benchmarks.league.measuring import one_seed


def main(words: list[str]) -> int:
    """Learn; whatever else is printed meanwhile goes to stderr."""
    seed, settings = words
    with redirect_stdout(sys.stderr):
        facts = one_seed(int(seed), KuhnSettings(**json.loads(settings)))
    print(json.dumps(facts))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
