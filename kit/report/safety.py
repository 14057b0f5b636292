"""What was kept safe: checkpoints, sessions, the log and what was dropped from it, the archive."""

from __future__ import annotations

from kit.report.markup import Markup, command, element, escape, join, paragraph, section, table
from kit.report.quantities import count, duration, share, size
from kit.report.record import RunRecord, as_number


def safety(record: RunRecord) -> Markup:
    """Checkpoints, sessions, what the log left out, and how to verify the archive."""
    archive = element(
        "div",
        element("h3", "To check that nothing has changed"),
        paragraph(
            "artifacts.zip holds this folder; artifacts.zip.sha256 beside it is its checksum, and SHA256SUMS "
            "inside it those of its members. With the kit, then without it:"
        ),
        command("python validation_cli.py verify artifacts.zip"),
        command(
            "sha256sum --check artifacts.zip.sha256\nunzip -d unpacked artifacts.zip\n"
            "(cd unpacked && sha256sum --check SHA256SUMS)"
        ),
    )
    return section("Kept safe", _checkpoints(record), _sessions(record), _log(record), archive)


def _checkpoints(record: RunRecord) -> Markup:
    if not record.checkpoints:
        return paragraph("There is no checkpoint in this folder.", class_="muted")
    wanted = record.run.get("config_hash")
    rows = []
    for checkpoint in sorted(record.checkpoints, key=lambda one: -one.step):
        fits = "yes" if checkpoint.config_hash == wanted else "no, of other settings"
        exact = "bit for bit" if checkpoint.exact else "not exact"
        rows.append((f"step {count(checkpoint.step)}", exact, fits, size(checkpoint.n_bytes)))
    return join((element("h3", "Checkpoints"), table(("", "resumes", "of this run", "size"), rows)))


def _sessions(record: RunRecord) -> Markup:
    if not record.sessions:
        return Markup("")
    rows = [
        (
            f"session {one.session}",
            count(one.first_step),
            count(one.last_step),
            duration(one.elapsed_s),
            one.end or "–",
        )
        for one in record.sessions
    ]
    header = ("", "from step", "to step", "wall time", "ended")
    return join((element("h3", "Sessions"), table(header, rows)))


def _log(record: RunRecord) -> Markup:
    """What the throttle dropped: summary.json ``log`` maps a tag to its counts."""
    counts = record.summary.get("log")
    tags = (
        {str(tag): one for tag, one in counts.items() if isinstance(one, dict)}
        if isinstance(counts, dict)
        else {}
    )
    if not tags:
        return Markup("")
    rows = []
    for tag, one in tags.items():
        passed, dropped = (as_number(one.get(key)) for key in ("passed", "dropped"))
        rows.append((tag, count(passed), count(dropped), share(dropped, passed + dropped)))
    return join((element("h3", "Log lines"), table(("", "kept", "dropped", "share dropped"), rows)))


def log_tail(record: RunRecord) -> Markup:
    """The end of the log, open where the run failed."""
    if not record.log_tail:
        return Markup("")
    opened = record.summary.get("status") not in ("complete", "stopped")
    summary = element("summary", f"The last {len(record.log_tail)} lines of the log")
    content = join((summary, element("pre", escape("\n".join(record.log_tail)))))
    return Markup(f"<details{' open' if opened else ''}>{content}</details>")
