import logging

import pytest

from kit.harness.run_log import RunLog


@pytest.fixture
def top_level():
    """The root logger's level, as it was before."""
    top = logging.getLogger()
    level = top.level
    top.setLevel(logging.WARNING)
    yield top
    top.setLevel(level)


def test_the_log_is_written_throttled_and_counts_what_it_dropped(tmp_path, top_level, capsys):
    """Records from INFO on are in the file; of a flood by tag little is, and the counts say how much was not."""
    log = RunLog(tmp_path / "run.log")
    log.start()
    for step in range(1_000):
        log.step(step)
        print("[REWARD_MICROSCOPE] reward 0.0")
    logging.getLogger("workload").info("a plain record")
    logging.getLogger("workload").debug("below the level")
    log.flush()
    counts, (lines, size) = log.counts(), log.written()
    log.stop()
    text = (tmp_path / "run.log").read_text()
    assert "INFO    workload: a plain record" in text
    assert "below the level" not in text
    microscope = next(count for tag, count in counts.items() if "MICROSCOPE" in tag)
    assert microscope["dropped"] > 900
    assert microscope["passed"] + microscope["dropped"] == 1_000
    assert capsys.readouterr().out.count("MICROSCOPE") < 50
    assert 0 < lines < 60
    assert size > 0


def test_everything_is_taken_back(tmp_path, top_level):
    """After stop() handlers, level and stdout are as before, and a later record does not reach the file."""
    handlers = list(top_level.handlers)
    log = RunLog(tmp_path / "run.log")
    log.start()
    assert top_level.level == logging.INFO
    log.stop()
    log.stop()
    assert (top_level.level, top_level.handlers) == (logging.WARNING, handlers)
    logging.getLogger("workload").warning("too late")
    assert "too late" not in (tmp_path / "run.log").read_text()


def test_a_later_session_appends(tmp_path, top_level):
    """The log of a run goes on where the session before ended."""
    for number in (1, 2):
        log = RunLog(tmp_path / "run.log", throttled=False)
        log.start()
        logging.getLogger("workload").warning("session %d", number)
        log.stop()
        assert log.counts() == {}
    assert [line.rsplit(" ", 1)[1] for line in (tmp_path / "run.log").read_text().splitlines()] == ["1", "2"]
