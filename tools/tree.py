"""Writes the file tree of docs/architecture.md from the first lines of the modules' docstrings: ``make tree``."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- tree -->\n```\n", "```\n<!-- /tree -->"


def tree() -> str:
    """Return a line for each module of the kit: its path and what it is."""
    lines = []
    for path in sorted(
        (ROOT / "kit").rglob("*.py"), key=lambda p: (p.parent.parts, p.name != "__init__.py", p.name)
    ):
        module = path.relative_to(ROOT)
        said = (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0].replace("``", "")
        name = f"{module.parent}/" if path.name == "__init__.py" else f"    {path.name}"
        if path.parent.name == "kit" and path.name != "__init__.py":
            name = f"    {path.name}"
        lines.append(f"{name:<28} {said}")
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return the page with a current tree."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN, 1)
    return before + BEGIN + tree() + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} is current\n")
