import base64
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.errors import StorageError
from kit.report import write_report
from tests.report.made import make_run, results, run_json, summary, write_json

VOID = {"img", "meta", "br"}
HOSTILE = "<script>alert('x')</script>&\"><img src=http://example.com/x.png onerror=y>"


class Page(HTMLParser):
    """The page as a parser sees it: its elements in order, its text, and whether every tag is closed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which must be this one."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note text, that of the styles left out."""
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        """All that is read, with single spaces."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of every element of that name."""
        return [attributes for name, attributes in self.elements if name == tag]


def page(run_dir: Path, *, draw: bool = False) -> Page:
    """Write the report and read it."""
    return Page(write_report(run_dir, draw=draw))


def test_the_page_tells_the_whole_run(run_dir: Path) -> None:
    """How it stands, the result, forecast and time, phases, checkpoints, sessions, log, archive, settings."""
    text = page(run_dir, draw=True).text
    for said in (
        "traffic_signal · cologne1 · DQN",
        "Complete: 24,000 of 24,000 steps",
        "dqn beats the best baseline, max-pressure",
        "Forecast before the start: 1 min 53 s (90 % interval 1 min 37 s to 2 min 20 s), not calibrated",
        "It took 2 min 1 s, 1.07 × the forecast: inside the interval",
        "update 46,000 1.0 ms 48.2 s",
        "step 24,000 bit for bit yes 4.8 MB",
        "session 2 13,560 24,000",
        "REWARD_MICROSCOPE 240 23,760 99 %",
        "validation_cli.py verify artifacts.zip",
        "sha256sum --check artifacts.zip.sha256",
        "hyperparameters.learning_rate 0.001",
        "torch 2.13.0",
    ):
        assert said in text, said


def test_the_page_needs_nothing_but_itself(run_dir: Path) -> None:
    """Pictures are data, styles are inline, there is no script, no link and no address to fetch from."""
    whole = page(run_dir, draw=True)
    names = {name for name, _ in whole.elements}
    assert not names & {"script", "link", "iframe", "object", "a", "base"}
    pictures = [attributes["src"] or "" for attributes in whole.all("img")]
    assert len(pictures) == 4
    for source, file in zip(pictures[:1], ["comparison.png"], strict=True):
        data = base64.b64decode(source.removeprefix("data:image/png;base64,"), validate=True)
        assert data == (run_dir / "figures" / file).read_bytes()
    markup = re.sub(r"base64,[A-Za-z0-9+/=]*", "", (run_dir / "report.html").read_text(encoding="utf-8"))
    assert not re.search(r"https?:|//[a-z]|url\(|@import", markup)


def test_every_picture_has_its_words_and_its_size(run_dir: Path) -> None:
    """A picture can be read to someone, and the page does not jump while it loads."""
    for attributes in page(run_dir, draw=True).all("img"):
        assert len(attributes["alt"] or "") > 20
        assert attributes["width"] == "960"
        assert int(attributes["height"] or 0) > 100


def test_nothing_a_run_says_becomes_markup(tmp_path: Path) -> None:
    """Whatever a name, a reason, a log line or a file name holds, it is shown as text."""
    run = make_run(
        tmp_path / "run",
        summary_changes={
            "status": "failed",
            "reason": HOSTILE,
            "log": {HOSTILE: {"passed": 1, "dropped": 2}},
        },
        run_changes={
            "notebook": HOSTILE,
            "parameters": {HOSTILE: HOSTILE, "scenario": HOSTILE},
            "seed": HOSTILE,
        },
    )
    raw = results()
    raw["evaluation"]["scenario"] = raw["evaluation"]["controllers"][1]["name"] = HOSTILE
    write_json(run / "results.json", raw)
    (run / "logs" / "run.log").write_text(HOSTILE)
    write_json(run / "timing.json", {"phases": [{"name": HOSTILE, "total_s": 1.0}]})
    (run / "metrics.csv").write_text('step,"<b>"\n1,2\n')
    write_json(
        run / "sessions.json", {"sessions": [{"session": 1, "first_step": 0, "last_step": 1, "end": HOSTILE}]}
    )
    whole = page(run)
    assert "script" not in {name for name, _ in whole.elements}
    assert whole.all("img") == []
    assert "alert('x')" in whole.text


@pytest.mark.parametrize(
    "name",
    ["run.json", "summary.json", "results.json", "timing.json", "sessions.json", "metrics.csv", "timing.csv"],
)
def test_a_file_that_cannot_be_read_is_said(run_dir: Path, name: str) -> None:
    """Bytes that are no JSON, or a folder in a file's place, cost that part only, and the page says which."""
    for spoil in (lambda path: path.write_bytes(b"\xff{not json\n1,2\n"), lambda path: path.mkdir()):
        path = run_dir / name
        path.unlink(missing_ok=True)
        spoil(path)
        text = page(run_dir).text
        assert "What could not be read" in text
        assert name in text


@pytest.mark.parametrize("name", ["run.json", "summary.json", "results.json", "timing.json"])
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "evaluation",
                        "controllers",
                        "series",
                        "phases",
                        "forecast",
                        "log",
                        "parameters",
                        "versions",
                        "status",
                        "name",
                        "total_s",
                        "predicted_s",
                        "low_s",
                        "high_s",
                        "elapsed_s",
                        "step",
                        "sessions",
                        "limits",
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_gives_a_page(run_dir: Path, name: str, value: object) -> None:
    """Whatever JSON stands where a record should, there is a well-formed page."""
    write_json(run_dir / name, value)
    assert page(run_dir).text


def test_values_of_another_shape_give_a_page(tmp_path: Path) -> None:
    """Every field of the records may hold a value of another kind; the page still comes."""
    run = make_run(tmp_path / "run")
    for file, content in (("summary.json", summary()), ("run.json", run_json())):
        for key in content:
            for value in (None, "text", -1, 1e308, [], {}, [{}], {"a": {"b": None}}):
                write_json(run / file, {**content, key: value})
                assert page(run).text
        write_json(run / file, content)


def test_an_empty_folder_gives_a_page_that_claims_nothing(tmp_path: Path) -> None:
    """A run that left nothing has a page that says it has not ended, and no result."""
    text = page(tmp_path, draw=True).text
    assert "This run has not ended properly" in text
    assert "Not evaluated on test seeds yet" in text
    assert "beats" not in text


def test_the_same_folder_gives_the_same_page(run_dir: Path) -> None:
    """There is no clock in the page, so making it again changes no checksum."""
    first = write_report(run_dir).read_bytes()
    assert write_report(run_dir).read_bytes() == first


def test_a_stopped_run_is_not_measured_against_its_forecast(tmp_path: Path) -> None:
    """Half a run in half the time is not called a good forecast."""
    run = make_run(tmp_path / "run", summary_changes={"status": "stopped", "step": 13_500, "elapsed_s": 60.0})
    text = page(run).text
    assert "nothing to compare yet" in text
    assert "inside the interval" not in text


def test_a_failed_run_shows_the_end_of_its_log(tmp_path: Path) -> None:
    """Who opens the page of a failed run sees the last lines without a click."""
    failed = make_run(tmp_path / "failed", summary_changes={"status": "failed", "reason": "ValueError: x"})
    assert "open" in page(failed).all("details")[0]
    fine = make_run(tmp_path / "fine")
    assert "open" not in page(fine).all("details")[0]
    assert "step 47" in page(fine).text
    assert "step 12 " not in page(fine).text


def test_a_picture_that_is_none_is_said(run_dir: Path) -> None:
    """A torn picture is left out and named; a picture of one's own is shown."""
    page(run_dir, draw=True)
    shutil.copy(run_dir / "figures" / "comparison.png", run_dir / "figures" / "my_own.png")
    (run_dir / "figures" / "comparison.png").write_bytes(b"\x89PN")
    whole = page(run_dir)
    assert "figures/comparison.png is not a PNG" in whole.text
    assert "my own" in whole.text
    assert len(whole.all("img")) == 4


def test_checkpoints_of_other_settings_and_inexact_ones_are_marked(run_dir: Path) -> None:
    """The page never promises an exact resume that the manifest does not."""
    manifest = run_dir / "checkpoints" / "step-000024000" / "manifest.json"
    write_json(manifest, {"step": 24_000, "exact": "yes", "config_hash": "other", "files": None})
    assert "step 24,000 not exact no, of other settings 0 B" in page(run_dir).text


def test_the_disk_refusing_leaves_the_page_that_was_there(run_dir: Path) -> None:
    """A page that cannot be written is the kit's own error."""
    (run_dir / "report.html").mkdir()
    (run_dir / "report.html" / "kept").touch()
    with pytest.raises(StorageError):
        write_report(run_dir, draw=False)
    assert (run_dir / "report.html" / "kept").exists()
