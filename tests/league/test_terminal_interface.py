"""The terminal: drawn to a recorded console at every width, and not at all where there is no terminal."""

import io
import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from kit.harness.clock import ManualClock
from kit.league.device_reading import DeviceReader, DeviceReading, GpuReading, read_answer
from kit.league.env_specs import TrainEnvSpec
from kit.league.game_scheduler import GameScheduler
from kit.league.model_registry import ModelRegistry
from kit.league.samplers import MirrorModelSampler, UniformRandomEnvSampler
from kit.league.step_buffer import StepBuffer
from kit.league.terminal_interface import Dashboard, TerminalInterface
from kit.league.terminal_panels import rating_bar
from kit.league.tracker import Tracker
from tests.league.made_records import made_record

WIDTHS = (40, 60, 80, 99, 100, 140, 200)
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
DEVICE = DeviceReading(
    cpu_load=0.5,
    cores=2,
    used_bytes=3_100_000_000,
    total_bytes=8_000_000_000,
    process_bytes=900_000_000,
    gpu_kind="tesla-t4x2",
    gpus=(GpuReading(5_000_000_000, 16_000_000_000, 0.87, 61.4), GpuReading(0, 16_000_000_000)),
)


def made_views(players: int = 4) -> dict:
    """The views of a league that has played a little."""
    registry = ModelRegistry()
    registry.add_checkpoint("base", None, 0)
    scheduler = GameScheduler(
        0,
        UniformRandomEnvSampler([TrainEnvSpec("Kuhn-v0", 2, 2, "compact")]),
        MirrorModelSampler(registry),
        registry,
    )
    registry.add_fixed("google/gemini-2.0-flash-lite-001")
    registry.add_fixed("random [legal]")
    for number in range(1, players - 2):
        registry.add_checkpoint(f"update-{number}", f"adapters/{number:06}", number)
        registry.update_ratings([f"update-{number}", "random [legal]"], [1.0, -1.0], "Kuhn-v0")
    registry.update_ratings(["base", "base"], [1.0, -1.0], "Kuhn-v0")
    tracker, buffer = Tracker(), StepBuffer(100)
    record = made_record(scheduler.next_train(), [1.0, -1.0])
    tracker.log_game(record)
    tracker.gauge("tokens/s", 6_512.0)
    buffer.add(record)
    tracker.log_game(made_record(scheduler.next_train(), [], fault="the environment threw"))
    scheduler.finished(record)
    parts = {"tracker": tracker, "registry": registry, "buffer": buffer, "scheduler": scheduler}
    return {name: part.view() for name, part in parts.items()}


def drawn(views: dict, width: int, device: DeviceReading = DEVICE) -> str:
    """The dashboard as text of that width."""
    console = Console(width=width, height=200, file=io.StringIO(), record=True, force_terminal=True)
    console.print(Dashboard(views, device))
    return console.export_text()


@pytest.mark.parametrize("width", WIDTHS)
def test_every_panel_is_there_at_every_width(width):
    """From 40 to 200 columns no line is longer than the terminal, and nothing is left out but ends of names."""
    text = drawn(made_views(), width)
    assert max(map(len, text.splitlines())) <= width
    for words in (
        "device",
        "collection",
        "ratings",
        "matches",
        "50% of 2 cores",
        "GPU 0",
        "6,512.0",
        "●",
        "train/",
    ):
        assert words in text, words
    for name in ("base", "google", "random", "update-1"):
        assert name in text
    assert "train games" in text
    assert "train games running" in text


@pytest.mark.parametrize("width", [100, 140, 200])
def test_panels_stand_side_by_side_where_it_is_wide(width):
    """Two titles in the first line; below 100 columns one."""
    assert "ratings" in drawn(made_views(), width).splitlines()[0]
    assert "ratings" not in drawn(made_views(), 99).splitlines()[0]


@pytest.mark.parametrize("width", [40, 100, 200])
def test_an_empty_league_can_be_drawn(width):
    """Before the first game there is nothing but the machine."""
    text = drawn({}, width, DeviceReading(0.0, 1, 0, 1, 0))
    assert "nobody has been rated yet" in text
    assert "no games yet" in text
    assert "GPU" not in text


@pytest.mark.parametrize("width", [40, 120])
def test_a_long_league_is_cut_and_says_so(width):
    """Of 60 players sixteen, the newest and the fixed ones among them, and how many more there are."""
    text = drawn(made_views(60), width)
    assert "44 more" in text
    ratings = text[text.index("ratings") : text.index("matches")]
    assert "update-57" in ratings
    assert "random" in ratings


def test_a_gpu_tells_memory_load_and_power():
    """Where the driver says them; else memory alone."""
    text = drawn({}, 120)
    for words in ("tesla-t4x2", "5.0 GB of 16.0 GB", "87%, 61 W", "0 B of 16.0 GB"):
        assert words in text
    assert "GPU 1 busy" not in text


def test_a_rating_bar_is_drawn_to_scale():
    """By hand on a scale of 0 to 10, a character a point."""
    assert rating_bar(5.0, 2.0, (0.0, 10.0), 11) == "   ──●──   "
    assert rating_bar(0.0, 1.0, (0.0, 10.0), 11) == "●─         "
    assert rating_bar(5.0, 0.0, (5.0, 5.0), 3) == "●  "


@given(st.floats(-1e3, 1e3), st.floats(0, 1e3), st.floats(-1e3, 1e3), st.floats(0, 1e3), st.integers(1, 80))
def test_a_rating_bar_has_its_width_and_one_dot(mu, sigma, low, span, width):
    """Whatever the numbers."""
    bar = rating_bar(mu, sigma, (low, low + span), width)
    assert len(bar) == width
    assert bar.count("●") == 1


def test_the_heat_map_counts_meetings():
    """The row of one and the column of the other; the diagonal has mirror games."""
    registry = ModelRegistry()
    for name in ("ann", "bob"):
        registry.add_fixed(name)
    for _ in range(12):
        registry.update_ratings(["ann", "bob"], [0.0, 0.0], "Kuhn-v0")
    for _ in range(7):
        registry.update_ratings(["bob", "bob"], [0.0, 0.0], "Kuhn-v0")
    rows = [line.split() for line in drawn({"registry": registry.view()}, 60).splitlines()]
    assert ["│", "1", "bob", "7", "12", "│"] in rows
    assert ["│", "2", "ann", "12", "·", "│"] in rows


class _Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


def test_nothing_is_drawn_where_there_is_no_terminal():
    """A log or a notebook gets not a byte, no thread is started, no device is read."""
    stream = io.StringIO()

    def never() -> DeviceReading:
        raise AssertionError("nobody looks")

    with TerminalInterface(stream, read_device=never) as interface:
        assert not interface.due()
        interface.show(**made_views())
        assert interface._live is None
    assert stream.getvalue() == ""


def test_it_is_due_every_two_seconds():
    """At first, then not before they are over; time stands still in between."""
    clock = ManualClock()
    interface = TerminalInterface(_Terminal(), clock=clock, read_device=lambda: DEVICE)
    assert interface.due()
    interface.show()
    assert not interface.due()
    clock.advance(1.9)
    assert not interface.due()
    clock.advance(0.1)
    assert interface.due()


def test_a_terminal_is_drawn_on_while_the_league_goes_on():
    """The first picture at once, from copies: what the league changes afterwards is not in it."""
    stream, views = _Terminal(), made_views()
    interface = TerminalInterface(stream, refresh_s=3_600.0, read_device=lambda: DEVICE)
    interface.show(**views)
    views["tracker"]["means"].clear()
    before = set(threading.enumerate())
    with interface:
        assert "collection" in stream.getvalue()
        (drawing,) = set(threading.enumerate()) - before
    drawing.join(10.0)
    assert not drawing.is_alive()
    assert interface.render().views["tracker"]["means"]


def test_a_terminal_that_is_resized_is_drawn_anew_at_its_width():
    """The picture after it has the new width; what came before it is wiped."""
    stream = _Terminal()
    interface = TerminalInterface(stream, refresh_s=3_600.0, read_device=lambda: DEVICE)
    interface.show(**made_views())
    interface._console.size = (120, 90)
    with interface:
        wide = len(stream.getvalue())
        interface._console.size = (50, 90)
        interface._live.refresh()
        pictures = [CONTROL.sub("", text) for text in (stream.getvalue()[:wide], stream.getvalue()[wide:])]
    for width, picture in zip((120, 50), pictures, strict=True):
        assert max(map(len, picture.splitlines())) == width
        assert "ratings" in picture


def test_the_machine_is_read():
    """Real numbers of this one, in range."""
    reading = DeviceReader().read()
    assert 0.0 <= reading.cpu_load <= 1.0
    assert 0 < reading.process_bytes < reading.total_bytes
    assert 0 < reading.used_bytes <= reading.total_bytes
    assert reading.cores >= 1


def test_the_drivers_answer_is_read():
    """A line a device; what a device does not tell is None, a line without memory is none."""
    text = "87, 61.40, 5000, 15360\n[N/A], [Not Supported], 3, 15360\nsome warning\n1, 2, [N/A], 4\n"
    first, second = read_answer(text)
    assert first == GpuReading(5000 * 2**20, 15360 * 2**20, 0.87, 61.4)
    assert second == GpuReading(3 * 2**20, 15360 * 2**20, None, None)
    assert read_answer("") == ()
