"""The documentation: trees complete, links that resolve, commands that exist, no figure without a measurement."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")


def test_the_file_tree_is_complete_and_current() -> None:
    """docs/architecture.md lists every module of the kit with the first line of its docstring."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import tree  # type: ignore[import-not-found]  # ty: a script beside the package
    finally:
        sys.path.pop(0)
    assert tree.page() == tree.PAGE.read_text(), "run `make tree`"


def test_the_readme_names_every_top_level_entry() -> None:
    """The README's tree has a line for everything that git keeps at the top of the repository."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tops = {line.split("/")[0] for line in listed.splitlines()} - {".gitignore", "README.md"}
    text = (ROOT / "README.md").read_text()
    missing = sorted(top for top in tops if top not in text)
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_resolve(page: Path) -> None:
    """Every relative link in a page leads to a file of the repository."""
    targets = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    broken = [link for link in targets if not (page.parent / link).exists()]
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_make_targets_and_commands_exist(page: Path) -> None:
    """Every ``make target`` and every command of the command line that a page names exists."""
    from validation_cli import COMMANDS

    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = page.read_text()
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets
    assert set(re.findall(r"validation_cli\.py ([a-z][a-z-]+)", text)) <= set(COMMANDS)


def test_the_matrix_of_exact_resume_is_the_same_in_both_places() -> None:
    """The README's table of algorithms is that of docs/exact-resume.md, which the matrix's own test holds true."""
    pages = [ROOT / "README.md", ROOT / "docs/exact-resume.md"]
    tables = [re.findall(r"(?:^\| Algorithm .*\n)(?:^\|.*\n)+", page.read_text(), re.M) for page in pages]
    assert len(tables[1]) == 1
    assert tables[0] == tables[1]


def test_readme_figures_are_those_of_the_benchmarks() -> None:
    """Every ratio in the README's benchmark table stands in benchmarks/results.json, to the digits shown."""
    rows = {row["name"]: row for row in json.loads((ROOT / "benchmarks/results.json").read_text())}
    table = re.findall(
        r"^\| ([^|]+?) \| ([^|]+?) \| [^|]+ \| <!-- (.+?) -->", (ROOT / "README.md").read_text(), re.M
    )
    assert table, "the README has no benchmark table"
    for _, shown, name in table:
        number = float(re.sub(r"[^0-9.]", "", shown.split()[0]))
        row = rows[name]
        assert any(
            number == pytest.approx(float(row[key]), rel=0.02, abs=10 ** -len(shown.split(".")[-1]))
            for key in ("value", "ratio")
        ), (name, shown, row)
