"""The best model's files as they may come from elsewhere: only those beside best.json are ever read."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from kit.errors import IntegrityError
from kit.harness.best import best_file, best_sums
from kit.harness.verify import verify

SECRET = b"what lies outside"


def run_with(tmp_path: Path, **facts: Any) -> Path:
    """Make a run whose best.json says ``facts``, with a file outside that its sums would be right for."""
    (tmp_path / "secret").write_bytes(SECRET)
    best = tmp_path / "run" / "best"
    best.mkdir(parents=True)
    (best.parent / "run.json").write_text("{}")
    (best / "best.json").write_text(json.dumps(facts))
    return best


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "..", "", ".hidden", "a/b"])
@pytest.mark.parametrize("place", ["file", "beside"])
def test_a_name_that_is_no_plain_one_is_refused(tmp_path, name, place):
    """Neither the model nor a file that it needs is read from anywhere else, and verify says so."""
    digest = hashlib.sha256(SECRET).hexdigest()
    facts = {"file": name, "sha256": digest} if place == "file" else {"file": "model.zip", "sha256": digest}
    beside = {} if place == "file" else {name: digest}
    best = run_with(tmp_path, **facts, beside=beside)
    with pytest.raises(IntegrityError, match=r"best\.json is not that of a best model"):
        best_sums(best)
    assert "best/best.json" in verify(best.parent).bad


@pytest.mark.parametrize(
    "facts",
    [{"file": None, "sha256": "0"}, {"file": "a"}, {"file": "a", "sha256": 1}, {"beside": []}, {"x": 1}],
)
def test_facts_of_another_form_are_refused(tmp_path, facts):
    """A JSON object that says something else is an IntegrityError, and bad to verify."""
    best = run_with(tmp_path, **facts)
    with pytest.raises(IntegrityError):
        best_sums(best)
    assert "best/best.json" in verify(best.parent).bad


@pytest.mark.parametrize("kind", ["missing", "link", "pipe", "folder", "changed"])
def test_a_file_that_is_not_the_one_written_is_refused(tmp_path, kind):
    """Missing, a link even to the right bytes, a pipe that would never answer, a folder, other bytes."""
    best = run_with(tmp_path, file="model.zip", sha256=hashlib.sha256(SECRET).hexdigest())
    path = best / "model.zip"
    if kind == "link":
        path.symlink_to(tmp_path / "secret")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "changed":
        path.write_bytes(SECRET[1:])
    ((name, digest),) = best_sums(best).items()
    with pytest.raises(IntegrityError, match=r"model\.zip"):
        best_file(best, name, digest)
    assert "best/model.zip" in verify(best.parent).bad
