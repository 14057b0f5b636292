from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kit.notebooks import check_notebook, notebook_names
from kit.notebooks.locate import repository_root
from tests.notebooks.conftest import FIXTURES, code

SHIPPED = notebook_names(repository_root())


def test_there_are_notebooks_to_check() -> None:
    """notebooks/ holds at least one notebook, so that the check below checks something."""
    assert SHIPPED


@pytest.mark.parametrize("path", SHIPPED.values(), ids=SHIPPED.keys())
def test_every_shipped_notebook_follows_the_house_rules(path: Path) -> None:
    """No outputs, one parameters cell of literals, no def or class, short cells, valid nbformat."""
    assert check_notebook(path) == []


@pytest.mark.parametrize("name", ["completes", "exits_early", "floods", "kernel_exits", "loops"])
def test_a_clean_notebook_has_no_faults(name: str) -> None:
    """What follows the rules passes, so that a fault found is a fault."""
    assert check_notebook(FIXTURES / f"{name}.ipynb") == []


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def f():\n    return 1", "line 1: 'def f' belongs into kit/"),
        ("if True:\n    class C:\n        pass", "line 2: 'class C'"),
        ("async def g():\n    return 1", "'async def g'"),
        ("x = = 1", "is not Python"),
        ("x = 1\n" * 26, "26 lines, more than 25"),
    ],
)
def test_code_that_belongs_elsewhere_is_found(
    make_notebook: Callable[..., Path], source: str, says: str
) -> None:
    """Definitions, broken code and long cells are each named with their cell."""
    [fault] = check_notebook(make_notebook("a = 1", code(source, 1)))
    assert "made.ipynb, cell 1: " in fault
    assert says in fault


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"outputs": [{"output_type": "stream", "name": "stdout", "text": "x"}]}, "carries outputs"),
        ({"execution_count": 3}, "execution count 3"),
        ({"metadata": {"tags": ["raises-exception"]}}, "'raises-exception' has no place"),
        ({"metadata": {"tags": ["skip-execution"]}}, "'skip-execution' has no place"),
        ({"metadata": {"tags": ["parameters"]}}, "2 cells tagged 'parameters'"),
        ({"id": "cell-0"}, "two cells have the same id"),
        ({"outputs": "none"}, "not valid nbformat"),
    ],
)
def test_what_a_run_left_behind_is_found(
    make_notebook: Callable[..., Path], change: dict[str, object], says: str
) -> None:
    """Outputs, execution counts, tags that hide errors, a second parameters cell and bad format are found."""
    faults = check_notebook(make_notebook("a = 1", code("b = a", 1) | change))
    assert any(says in fault for fault in faults), faults


def test_magics_and_lambdas_are_allowed(make_notebook: Callable[..., Path]) -> None:
    """A line magic, a shell line and a cell magic do not count as broken Python, and a lambda is no def."""
    cells = [code("%load_ext x\n!ls\nf = lambda x: x", 1), code("%%bash\nls -l | wc", 2)]
    assert check_notebook(make_notebook("a = 1", *cells)) == []


def test_a_file_that_is_no_notebook_is_one_fault(tmp_path: Path) -> None:
    """The checker reports a broken file instead of raising."""
    path = tmp_path / "broken.ipynb"
    path.write_text("{", encoding="utf-8")
    [fault] = check_notebook(path)
    assert "not a notebook" in fault
