"""Checkpoints from elsewhere: whatever is in the folder, an IntegrityError, and the one before it is taken."""

import hashlib
import json
import os
import random
import struct
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import IntegrityError
from kit.harness.checkpoints import CheckpointStore
from kit.harness.manifest import MANIFEST, read_manifest, verify_checkpoint
from kit.harness.run_folder import RunFolder
from kit.harness.summary import SessionLedger, read_json
from kit.tensors import STATE_FILE, TENSORS_FILE, decode, encode

DEEP = "[" * 200_000


def remade(content):
    """Return a manifest with these keys whose own sum is right."""
    content = {key: value for key, value in content.items() if key != "sha256"}
    content["sha256"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return json.dumps(content, indent=1).encode() + b"\n"


@pytest.fixture
def store(tmp_path):
    """Two checkpoints, of steps 1 and 2."""
    store = CheckpointStore(tmp_path / "checkpoints", "h")
    for step in (1, 2):
        store.save(step, {"a.bin": bytes(100)}, exact=True)
    return store


def _climbing(path, content):
    content["files"][0]["name"] = "../../secret"
    (path / MANIFEST).write_bytes(remade(content))


def _twice(path, content):
    content["files"] *= 2
    (path / MANIFEST).write_bytes(remade(content))


def _millions(path, content):
    content["files"] = [{"name": f"f{i}", "bytes": 0, "sha256": ""} for i in range(30_000)]
    (path / MANIFEST).write_bytes(remade(content))


def _lying_size(path, content):
    content["files"][0]["bytes"] = 2**62
    (path / MANIFEST).write_bytes(remade(content))


def _sparse(path, content):
    with (path / "a.bin").open("wb") as file:
        file.truncate(2**40)


def _huge_manifest(path, content):
    with (path / MANIFEST).open("wb") as file:
        file.truncate(2**36)


def _linked_data(path, content):
    (path.parents[1] / "secret").write_bytes(bytes(100))
    (path / "a.bin").unlink()
    (path / "a.bin").symlink_to(path.parents[1] / "secret")


def _linked_folder(path, content):
    path.rename(path.parents[1] / "elsewhere")
    path.symlink_to(path.parents[1] / "elsewhere")


def _pipe(path, content):
    (path / MANIFEST).unlink()
    os.mkfifo(path / MANIFEST)


def _data_pipe(path, content):
    (path / "a.bin").unlink()
    os.mkfifo(path / "a.bin")


def _text(text):
    def write(path, _):
        (path / MANIFEST).write_text(text)

    return write


def _with(**keys):
    def write(path, content):
        (path / MANIFEST).write_bytes(remade({**content, **keys}))

    return write


HOSTILE = {
    "a name that climbs out": _climbing,
    "a name twice": _twice,
    "30,000 files": _millions,
    "a size that lies": _lying_size,
    "a file of a terabyte": _sparse,
    "a manifest of 64 GiB": _huge_manifest,
    "data that is a link": _linked_data,
    "a folder that is a link": _linked_folder,
    "a manifest that is a pipe": _pipe,
    "data that is a pipe": _data_pipe,
    "deep JSON": _text(DEEP),
    "deep objects": _text('{"a":' * 100_000),
    "a huge integer": _text('{"schema": ' + "9" * 10_000 + "}"),
    "an infinite step": _with(step=float("inf")),
    "a step that is no number": _with(step=float("nan")),
    "files that are a number": _with(files=7),
    "files that are objects": _with(files={"a": 1}),
    "files of nothing": _with(files=[None]),
    "a file that is text": _with(files=["name"]),
    "segments that climb out": _with(segments=[{"log": "a", "name": "../x"}]),
    "an extra that is no object": _with(extra=[1]),
    "an extra that is text": _with(extra="text"),
    "an origin that is an object": _with(origin={}),
    "another schema": _with(schema="3"),
    "no object": _text("[]"),
    "nothing": _text(""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_checkpoint_is_passed_over(store, name, tmp_path):
    """It is refused with an IntegrityError, nothing outside is touched, and the checkpoint before it is taken."""
    path = store.root / "step-000000002"
    HOSTILE[name](path, json.loads((path / MANIFEST).read_bytes()))
    with pytest.raises(IntegrityError):
        verify_checkpoint(path)
    skipped = []
    newest = CheckpointStore(store.root, "h").newest(lambda folder, why: skipped.append(folder.name))
    assert (newest.step, skipped) == (1, ["step-000000002"])
    assert store.load(newest) == {"a.bin": bytes(100)}


def test_loading_reads_no_more_than_the_manifest_says(store):
    """A file that grew between verifying and loading is refused without being read."""
    newest = store.newest()
    with (newest.path / "a.bin").open("ab") as file:
        file.truncate(2**40)
    with pytest.raises(IntegrityError, match="1099511627776 bytes"):
        store.load(newest)


def test_what_no_memory_holds_is_not_read(store):
    """A manifest and a sparse file that agree on more than the machine's memory are refused before reading."""
    path = store.root / "step-000000002"
    content = json.loads((path / MANIFEST).read_bytes())
    content["files"][0]["bytes"] = 2**45
    (path / MANIFEST).write_bytes(remade(content))
    with pytest.raises(IntegrityError, match="memory"):
        store.load(read_manifest(path))


# The codec

TREE = {
    "weights": np.arange(12, dtype=np.float32).reshape(3, 4),
    "text": np.array(["ab", "c"]),
    "scalar": np.float64(1.5),
    "nested": [(1, 2.5, None), {3: b"bytes", "x": float("nan")}],
}
FILES = encode(TREE)


def state(value):
    """Return files whose state.json is ``value``."""
    text = value if isinstance(value, str) else json.dumps(value)
    return {**FILES, STATE_FILE: text.encode()}


def tensors(header, data=b""):
    """Return files whose safetensors header says ``header``."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return {**FILES, TENSORS_FILE: struct.pack("<Q", len(text)) + text + data}


def _entry(start, end, shape=(1,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


LIES = {
    "no files": {},
    "deep": state(DEEP),
    "deep tuples": state('{"$tuple":[' * 50_000),
    "no json": state("{"),
    "no text": {**FILES, STATE_FILE: b"\xff\xfe"},
    "an unknown tag": state({"$evil": 1}),
    "no such array": state({"$array": "nowhere"}),
    "an array twice": state([{"$array": "/weights"}] * 2),
    "an array of a list": state({"$array": [1]}),
    "a tensor of text": state({"$tensor": None}),
    "no float": state({"$float": {}}),
    "no bytes": state({"$bytes": 5}),
    "bad base64": state({"$bytes": "é"}),
    "tuple of a number": state({"$tuple": 7}),
    "items that are no pairs": state({"$items": [[1, 2, 3]]}),
    "items with a key that cannot be one": state({"$items": [[[], 1]]}),
    "text of terabytes": state({"$text_array": ["a"] * 1000, "dtype": "<U999999999"}),
    "text that is objects": state({"$text_array": ["a"], "dtype": "O"}),
    "text of no type": state({"$text_array": ["a"], "dtype": 5}),
    "text without a type": state({"$text_array": ["a"]}),
    "ragged text": state({"$text_array": [["a"], "b"], "dtype": "<U1"}),
    "rows without an end": state({"$appended": "replay"}),
    "a header of 2^63 bytes": {**FILES, TENSORS_FILE: struct.pack("<Q", 2**63) + b"{}"},
    "a header beyond the end": {**FILES, TENSORS_FILE: struct.pack("<Q", 10_000) + b"{}"},
    "offsets out of range": tensors({"a": _entry(0, 2**40)}, bytes(4)),
    "offsets of 2^63": tensors({"a": _entry(0, 2**63, (2**61,))}, bytes(4)),
    "overlapping": tensors({"a": _entry(0, 4), "b": _entry(0, 4)}, bytes(4)),
    "a hole": tensors({"a": _entry(4, 8)}, bytes(8)),
    "backwards": tensors({"a": _entry(4, 0)}, bytes(4)),
    "a shape that overflows": tensors({"a": _entry(0, 4, (2**32, 2**32, 2**32))}, bytes(4)),
    "a shape of minus one": tensors({"a": _entry(0, 4, (-1,))}, bytes(4)),
    "a type that is none": tensors({"a": _entry(0, 4, dtype="EVIL")}, bytes(4)),
    "a header that is no json": tensors(b"{" * 100),
    "a deep header": tensors(b'{"a":' * 100_000),
    "empty": {**FILES, TENSORS_FILE: b""},
}


@pytest.mark.parametrize("name", LIES)
def test_a_state_that_is_none_is_an_integrity_error(name):
    """Nothing but IntegrityError comes out of the codec, and no more memory than went in."""
    with pytest.raises(IntegrityError):
        decode(LIES[name])


def outcome(files):
    """Return what came of decoding: ``"tree"`` or ``"refused"``; anything else is raised."""
    try:
        decode(files)
    except IntegrityError:
        return "refused"
    return "tree"


@pytest.mark.slow
@settings(max_examples=2000, database=None)
@given(data=st.data())
def test_no_bytes_make_the_codec_fail_otherwise(data):
    """Flip, cut or insert bytes anywhere in a real encoding: a tree, or an IntegrityError."""
    name = data.draw(st.sampled_from([STATE_FILE, TENSORS_FILE]))
    content = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(0, len(content) - 1)))
        content[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    assert outcome({**FILES, name: bytes(content)}) in ("tree", "refused")


def test_no_flipped_bytes_make_the_codec_fail_otherwise():
    """2,000 encodings with random bytes changed: most are refused, some are other trees, none fails otherwise."""
    chance, found = random.Random(0), Counter()
    for _ in range(2000):
        name = chance.choice([STATE_FILE, TENSORS_FILE])
        content = bytearray(FILES[name])
        for _ in range(chance.randint(1, 3)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        found[outcome({**FILES, name: bytes(content)})] += 1
    assert set(found) == {"tree", "refused"}


@settings(max_examples=100, database=None)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_noise_is_no_state(one, other):
    """Bytes that were never encoded are refused the same way."""
    with pytest.raises(IntegrityError):
        decode({TENSORS_FILE: one, STATE_FILE: other + b"\x00"})


# The run's own files


@pytest.mark.parametrize("text", [DEEP, "[]", "{", "9" * 10_000, "\x00", '{"a": 1' + "}" * 3, "\udcff"])
def test_a_hostile_json_file_is_an_integrity_error(tmp_path, text):
    """run.json, summary.json, sessions.json, timing.json: named, and no traceback."""
    path = tmp_path / "run.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(IntegrityError, match=r"run\.json"):
        read_json(path)


@pytest.mark.parametrize("rows", [7, [7], [{"session": 1}], [{"evil": 1}], {"a": 1}, [[1]], "text"])
def test_a_ledger_of_something_else_is_an_integrity_error(tmp_path, rows):
    """sessions.json holds sessions, or the run is not opened."""
    folder = RunFolder(tmp_path)
    folder.sessions.write_text(json.dumps({"sessions": rows}))
    with pytest.raises(IntegrityError, match=r"sessions\.json"):
        SessionLedger(folder)
