"""What the design says of the code itself: who imports whom, what is light, what is short, what is public."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "kit").rglob("*.py"))
FLOORS = [
    {"errors"},
    {"harness"},
    {"timing", "preflight", "report"},
    {"session"},
    {"traffic", "lm"},
    {"sb3", "league", "rft", "trace"},
    {"notebooks", "remote"},
]
PARTS_OF_THE_SESSION = {
    "companions",
    "opening",
    "outlook",
    "keeper",
    "pace",
    "pressure",
    "own_loop",
    "own_preflight",
    "run_record",
    "runtime",
    "options",
    "launched",
    "ending",
    "trust",
    "tensors",
    "randomness",
    "appended",
}
LONGEST = 350


def floor_of(box: str) -> int:
    """Return the floor of a file or folder of kit/; the parts of the session stand on its floor."""
    if box in PARTS_OF_THE_SESSION:
        box = "session"
    found = [number for number, boxes in enumerate(FLOORS) if box in boxes]
    assert found, f"kit/{box} stands on no floor of the design"
    return found[0]


def box_of(path: Path) -> str:
    """Return the file or folder of kit/ that a file belongs to."""
    return path.relative_to(ROOT / "kit").parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Return the modules that a file imports anywhere, but for those only its types need."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def kit_boxes(path: Path) -> set[str]:
    """Return the boxes of kit/ that a file imports."""
    known = {box_of(file) for file in FILES} - {"__init__"}
    parts = (name.split(".") for name in imports_of(path) if name.startswith("kit."))
    return {names[1] for names in parts if names[1] in known} - {box_of(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_down_only(path):
    """No file imports from a floor above its own; traffic and lm import nothing above errors."""
    box, boxes = box_of(path), kit_boxes(path)
    if box == "__init__":
        assert boxes <= {"session", "harness"}
        return
    limit = 0 if box in ("traffic", "lm") else floor_of(box)
    above = {other for other in boxes if floor_of(other) > limit}
    assert not above, f"kit/{box} must not import {above}"


def test_siblings_of_the_workloads_do_not_know_each_other():
    """sb3, league, rft and trace share nothing sideways: what two of them need stands further down."""
    siblings = FLOORS[5]
    for path in FILES:
        if box_of(path) in siblings:
            assert not kit_boxes(path) & siblings


def test_the_harness_needs_the_standard_library_and_psutil_only():
    """Anything else would keep a broken environment from being kept safe."""
    allowed = set(sys.stdlib_module_names) | {"psutil", "kit"}
    for path in (ROOT / "kit/harness").glob("*.py"):
        tops = {name.partition(".")[0] for name in imports_of(path)}
        # IPython is only spoken to where the kernel has loaded it.
        assert tops <= allowed, path


def test_only_the_clock_reads_the_time():
    """Time is injected everywhere else, so that a test can let ten hours pass.

    The throttle's guards are for hot paths of 100 ns: there a test hands in its own function.
    """
    for path in FILES:
        if path.name not in ("clock.py", "throttle.py") and box_of(path) not in ("traffic", "lm"):
            assert not {"time", "time.time", "time.monotonic", "time.perf_counter"} & imports_of(path), path


def test_importing_the_kit_is_light():
    """`import kit` loads neither torch nor matplotlib nor numpy, and the session no torch."""
    for statement, heavy in (
        ("import kit", ("torch", "matplotlib", "numpy", "pandas")),
        ("import kit.session", ("torch", "matplotlib", "pandas", "stable_baselines3", "papermill")),
        ("import validation_cli", ("torch", "matplotlib", "numpy", "papermill")),
    ):
        code = f"{statement}\nimport sys\nprint([name for name in {heavy!r} if name in sys.modules])"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "[]", statement


@pytest.mark.parametrize("name", ["kit", "kit.sb3", "kit.league", "kit.notebooks", "kit.report"])
def test_every_public_name_is_there(name):
    """What __all__ promises can be imported, is listed once, and has a docstring."""
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    for public in module.__all__:
        assert getattr(module, public) is not None
        assert isinstance(getattr(module, public), str) or getattr(module, public).__doc__


def test_an_unknown_name_of_the_kit_is_an_attribute_error():
    """The lazy import answers for what it offers only."""
    import kit

    with pytest.raises(AttributeError, match="no attribute 'TrainingSesion'"):
        _ = kit.TrainingSesion


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_is_long_and_each_says_what_it_is(path):
    """At most 350 lines, and a docstring of its own."""
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST
    assert ast.get_docstring(ast.parse(text)), "a module says what it is"
