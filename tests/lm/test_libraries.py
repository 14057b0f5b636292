"""Optional libraries that are missing."""

import pytest

from kit.errors import MissingDependencyError
from kit.lm.libraries import library


def test_a_missing_library_is_named_with_what_installs_it():
    """The message can be acted on."""
    with pytest.raises(MissingDependencyError, match=r"'no_such_library'.*requirements-llm\.txt"):
        library("no_such_library.part")


def test_what_a_library_stands_on_is_named_itself(tmp_path, monkeypatch):
    """A library without what it needs: what it needs is missing."""
    (tmp_path / "standing.py").write_text("import no_such_ground\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingDependencyError, match="'no_such_ground'"):
        library("standing")
