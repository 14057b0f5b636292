"""The loopback Kaggle: what holds for every page size, every range and every break of an upload."""

from __future__ import annotations

import io
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.remote.kaggle_server.answers import ApiError, StorageError
from tests.remote.kaggle_server.blobs import Blobs
from tests.remote.kaggle_server.kernel import slug_of
from tests.remote.kaggle_server.misbehaviour import Misbehaviour
from tests.remote.kaggle_server.page import page
from tests.remote.kaggle_server.reader import BodyReader


@given(count=st.integers(0, 500), size=st.integers(1, 300))
def test_pages_hold_everything_once(count: int, size: int):
    """Walking the tokens gives each item once and in order, whatever the page size; no page is over 200."""
    seen, token = [], ""
    while True:
        some, token = page(range(count), size, token)
        seen += some
        assert len(some) <= min(size, 200)
        if not token:
            break
    assert seen == list(range(count))


def test_a_token_that_was_not_given_out_is_refused():
    """It is an error, not a first page."""
    with pytest.raises(ApiError, match="Invalid page token"):
        page([1], 20, "made up")


@settings(max_examples=50)
@given(content=st.binary(max_size=300), breaks=st.lists(st.floats(0, 1), max_size=4))
def test_an_upload_ends_whole_however_often_it_breaks(content: bytes, breaks: list[float]):
    """Asking how much arrived and sending the rest, again and again, ends with the bytes of the file."""
    misbehave = Misbehaviour()
    for at in breaks:
        misbehave.break_upload(at=at)
    with tempfile.TemporaryDirectory() as folder:
        blobs = Blobs(Path(folder), "", misbehave)
        token = str(dict(blobs.start("", {"name": "a.bin", "contentLength": len(content)}))["token"])
        start = 0
        for _ in range(len(breaks) + 1):
            sent = BodyReader(io.BytesIO(content[start:]), str(len(content) - start), None)
            with suppress(StorageError):
                blobs.put(token, f"bytes {start}-{len(content) - 1}/{len(content)}" if start else "", sent)
            standing = blobs.put(token, f"bytes */{len(content)}", BodyReader(io.BytesIO(), "0", None))
            start = int(standing.headers.get("Range", "bytes=0--1").removeprefix("bytes=0-")) + 1
            if standing.code == 200:
                break
        assert blobs.blob(token).path.read_bytes() == content


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Traffic signal: 3to1, DQN", "traffic-signal-3to1-dqn"),
        ("  a__b  ", "a-b"),
        ("already-a-slug", "already-a-slug"),
    ],
)
def test_a_slug_is_made_of_a_title(title: str, slug: str):
    """Lower case, letters and digits, one hyphen between words."""
    assert slug_of(title) == slug
