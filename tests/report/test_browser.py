import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kit.report import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")]

# Appended to a copy of the page, so that the browser itself says what it made of it.
PROBE = """<script>addEventListener("load", () => {
  const images = [...document.images].filter(one => one.complete && one.naturalWidth === 960);
  const root = document.documentElement;
  const ink = getComputedStyle(document.body).color;
  document.body.dataset.seen =
    [images.length, root.scrollWidth - innerWidth, performance.getEntriesByType("resource")
      .filter(one => !one.name.startsWith("data:")).length, ink].join("|");
});</script>"""


def seen(page: Path, profile: Path, width: int, *more: str) -> list[str]:
    """Open a page in a real browser and return what the probe saw."""
    probed = page.with_name("probed.html")
    probed.write_text(page.read_text(encoding="utf-8") + PROBE, encoding="utf-8")
    quiet = [
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        *quiet,
        f"--user-data-dir={profile}",
        f"--window-size={width},1000",
        *more,
        "--dump-dom",
        probed.as_uri(),
    ]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    found = re.search(r'data-seen="([^"]*)"', dom)
    assert found is not None
    return found[1].split("|")


@pytest.mark.parametrize("width", [500, 1_100])
def test_a_browser_shows_the_page(run_dir: Path, tmp_path: Path, width: int) -> None:
    """At any width four pictures are shown, the page does not scroll sideways, and nothing is fetched."""
    images, overflow, fetched, _ = seen(write_report(run_dir), tmp_path / "profile", width)
    assert images == "4"
    assert int(overflow) <= 0
    assert fetched == "0"


def test_dark_mode_is_dark(run_dir: Path, tmp_path: Path) -> None:
    """Who asked for dark gets light ink."""
    page = write_report(run_dir)
    light = seen(page, tmp_path / "light", 1_100)[3]
    dark = seen(page, tmp_path / "dark", 1_100, "--blink-settings=preferredColorScheme=0")[3]
    assert (light, dark) == ("rgb(27, 31, 36)", "rgb(230, 233, 237)")
