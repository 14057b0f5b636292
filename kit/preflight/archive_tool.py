"""Whether an archive can be made where the run will write: packed, verified, unpacked, compared."""

from __future__ import annotations

from kit.errors import KitError
from kit.harness.archive import package, safe_extract, verify
from kit.preflight.check import Check, Verdict, fails, passes
from kit.preflight.launching import Launching

CONTENT = b"step,loss\n1,0.5\n"


def _look_at_archive_tool(launching: Launching) -> Verdict:
    try:
        with launching.scratch() as scratch:
            run, back = scratch / "run", scratch / "back"
            run.mkdir()
            (run / "metrics.csv").write_bytes(CONTENT)
            made = package(run)
            faults = verify(made.path).bad
            safe_extract(made.path, back)
            same = (back / "metrics.csv").read_bytes() == CONTENT
    except (KitError, OSError) as error:
        return fails(str(error))
    if faults or not same:
        return fails(f"A small archive does not verify: {', '.join(faults) or 'its content is another'}.")
    return passes("A small archive was made, verified, unpacked and compared.")


ARCHIVE_TOOL = Check(
    "Archive can be made",
    "Hours of results were on the machine and in no form that could be taken home.",
    "See what is said of the output folder; zlib must be part of this Python.",
    _look_at_archive_tool,
)
