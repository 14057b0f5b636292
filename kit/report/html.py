"""report.html: one page that needs nothing but itself, made from whatever the run folder holds."""

from __future__ import annotations

import base64
from pathlib import Path

from kit.harness.run_folder import RunFolder
from kit.report import figures, sections
from kit.report.markup import Markup, element, join, section
from kit.report.output import put
from kit.report.record import read_record
from kit.report.safety import log_tail, safety
from kit.report.settings import settings

LARGEST_IMAGE_BYTES = 4_000_000
_PNG = b"\x89PNG\r\n\x1a\n"


def write_report(run_dir: Path, *, draw: bool = True) -> Path:
    """Write ``run_dir``/report.html, whole or not at all.

    The page is one file: styles inline, pictures as data, no script, nothing fetched. The same folder gives
    the same bytes. What is absent is left out; what cannot be read is said on the page.

    Args:
        run_dir: the run folder.
        draw: draw the figures anew first; without, those already in figures/ are shown.

    Returns:
        The path of the page.

    Raises:
        StorageError: the page or a figure could not be written; what was there before is intact.
    """
    folder = RunFolder(run_dir)
    if draw:
        figures.draw_all(run_dir)
    return put(folder.report, _page(folder))


def _page(folder: RunFolder) -> str:
    record = read_record(folder.root)
    unreadable: list[str] = []
    pictures = {
        kind.file: _picture(folder.figures / kind.file, kind.caption, unreadable) for kind in figures.ALL
    }
    others = [
        _picture(path, path.stem.replace("_", " "), unreadable)
        for path in sorted(folder.figures.glob("*.png"))
        if path.name not in pictures
    ]
    body = [
        sections.heading(record),
        sections.problems(record, tuple(unreadable)),
        sections.result(record, pictures[figures.COMPARISON.file], pictures[figures.QUEUE_AND_DELAY.file]),
        sections.learning(record, pictures[figures.LEARNING_CURVE.file]),
        sections.time(record, pictures[figures.PHASE_TIMINGS.file]),
        section("More figures", *others),
        safety(record),
        settings(record),
        log_tail(record),
        element("footer", "Made by the training kit from the files of the run folder alone."),
    ]
    style = Markup(Path(__file__).with_name("page.css").read_text(encoding="utf-8"))
    head = [
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", sections.title(record)),
        element("style", style),
    ]
    return (
        "<!doctype html>\n"
        + element("html", element("head", *head), element("body", join(body)), lang="en")
        + "\n"
    )


def _picture(path: Path, caption: str, unreadable: list[str]) -> Markup:
    """Return a PNG with its caption as data inside the page, or nothing where there is none."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Markup("")
    except OSError as error:
        unreadable.append(f"figures/{path.name} could not be read ({error.strerror}).")
        return Markup("")
    if not data.startswith(_PNG) or len(data) < 24 or len(data) > LARGEST_IMAGE_BYTES:
        unreadable.append(f"figures/{path.name} is not a PNG of at most {LARGEST_IMAGE_BYTES:,} bytes.")
        return Markup("")
    width, height = (str(int.from_bytes(data[at : at + 4], "big")) for at in (16, 20))
    source = "data:image/png;base64," + base64.b64encode(data).decode("ascii")
    image = element("img", src=source, alt=caption, width=width, height=height)
    return element("figure", element("div", image, class_="scroll"), element("figcaption", caption))
