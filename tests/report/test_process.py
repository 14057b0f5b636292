import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.report.process import ReportProcess


def call(*arguments: str, requests: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``python -m kit.report`` to its end."""
    command = [sys.executable, "-m", "kit.report", *arguments]
    return subprocess.run(command, input=requests, capture_output=True, text=True, timeout=60, check=False)


def test_figures_only_leaves_the_page_alone(run_dir: Path) -> None:
    """While training goes on, figures are drawn and nothing is said."""
    done = call(str(run_dir), "--figures-only")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(list((run_dir / "figures").iterdir())) == 4
    assert not (run_dir / "report.html").exists()


def test_a_file_named_like_a_standard_module_does_not_stop_the_drawing(
    run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal.py in the working folder takes nobody's place: the figures are drawn."""
    (tmp_path / "signal.py").write_text("raise SystemExit('not the standard module')")
    (tmp_path / "platform.py").write_text("raise SystemExit('not the standard module')")
    monkeypatch.chdir(tmp_path)
    process = ReportProcess(run_dir)
    assert process.draw()
    process.close()


def test_a_folder_that_is_not_there_is_bad_usage(tmp_path: Path) -> None:
    """The exit code is that of the error, whose sentence names the folder."""
    done = call(str(tmp_path / "none"))
    assert done.returncode == 2
    assert "There is no run folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_request_is_answered_and_the_end_of_input_ends_it(run_dir: Path) -> None:
    """A line for each request, an unknown one included; what is asked several times is drawn once."""
    done = call(str(run_dir), "--serve", "--tensorboard", requests="figures\nfigures\nreport\npaint\n")
    assert done.stdout.splitlines() == [
        "figures done",
        "figures done",
        "report done",
        "paint failed: unknown request",
    ]
    assert done.returncode == 0
    assert (run_dir / "report.html").exists()
    assert any((run_dir / "tensorboard").iterdir())


def test_a_full_disk_is_answered_and_the_next_request_served(run_dir: Path) -> None:
    """A drawing that could not be written does not end the process."""
    (run_dir / "figures").write_text("in the way")
    reading, writing = os.pipe()
    with (
        subprocess.Popen(
            [sys.executable, "-m", "kit.report", str(run_dir), "--serve"],
            stdin=reading,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
        os.fdopen(writing, "w") as requests,
    ):
        os.close(reading)
        assert process.stdout is not None
        print("figures", file=requests, flush=True)
        assert process.stdout.readline().startswith("figures failed: ")
        (run_dir / "figures").unlink()
        print("figures", file=requests, flush=True)
        assert process.stdout.readline() == "figures done\n"
        requests.close()
        assert process.wait(timeout=60) == 0


def test_the_session_gets_its_page(run_dir: Path) -> None:
    """What a session starts draws when asked, writes the page when asked, and is gone when closed."""
    drawing = ReportProcess(run_dir)
    drawing.refresh()
    assert drawing.write_report()
    assert (run_dir / "report.html").exists()
    drawing.close()
