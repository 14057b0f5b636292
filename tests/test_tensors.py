import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kit.errors import IntegrityError
from kit.tensors import STATE_FILE, decode, encode, snapshot

DTYPES = ["?", "i1", "i4", "i8", "u1", "u4", "u8", "f2", "f4", "f8"]
ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=20)
KEYS = st.text(max_size=5) | st.integers() | st.just("$array") | st.tuples(st.integers(), st.text(max_size=2))
TREES = st.recursive(
    PLAIN | ARRAYS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=10,
)


def assert_same(one: object, other: object) -> None:
    """Two trees are the same to the last bit: types, dtypes, shapes, bytes."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    elif isinstance(one, np.ndarray | np.generic):
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    elif isinstance(one, float):
        assert one.hex() == other.hex()
    else:
        assert one == other


@given(TREES)
def test_a_tree_comes_back_to_the_last_bit(tree):
    """Any tree of dicts, lists, tuples, arrays and plain values is what it was: NaN, -0.0 and big ints too."""
    assert_same(decode(encode(tree)), tree)


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool]
)
def test_torch_tensors_come_back_as_torch(dtype):
    """Values, dtype and shape of a tensor are kept, of an empty and of a transposed one too."""
    for tensor in (
        torch.arange(6).reshape(2, 3).to(dtype),
        torch.zeros(0, 3, dtype=dtype),
        torch.ones((), dtype=dtype),
    ):
        for form in (tensor, tensor.T if tensor.dim() == 2 else tensor):
            back = decode(encode({"x": form}))["x"]
            assert (back.dtype, back.shape) == (form.dtype, form.shape)
            assert torch.equal(back, form)


@pytest.mark.parametrize(
    "value", [np.float32(0.1), np.int64(-3), np.bool_(True), np.array(["a", "bc"]), np.array(7)]
)
def test_numpy_scalars_and_text_keep_their_type(value):
    """A scalar stays a scalar, a 0-d array an array, an array of text an array of text."""
    back = decode(encode([value]))[0]
    assert type(back) is type(value)
    assert back.dtype == value.dtype
    assert np.array_equal(back, value)


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array([None]), lambda: 0, 1j])
def test_what_has_no_exact_form_is_refused_with_its_place(value):
    """Nothing is pickled: a TypeError names the place in the tree."""
    with pytest.raises(TypeError, match="/deep/0"):
        encode({"deep": [value]})


def test_what_comes_back_can_be_written():
    """Decoded arrays are the caller's own."""
    back = decode(encode({"x": np.zeros(3)}))["x"]
    back[0] = 1.0
    assert back[0] == 1.0


def test_a_snapshot_does_not_change_with_its_source():
    """Arrays and tensors are copied at any depth; the structure stays."""
    live = {"a": np.zeros(2), "b": (torch.zeros(2), [np.ones(1)]), "c": "text"}
    kept = snapshot(live)
    live["a"][0] = live["b"][0][0] = live["b"][1][0][0] = 9.0
    assert (kept["a"][0], float(kept["b"][0][0]), kept["b"][1][0][0], kept["c"]) == (0.0, 0.0, 1.0, "text")
    assert isinstance(kept["b"], tuple)


def test_the_same_tree_has_the_same_bytes():
    """Two checkpoints of the same state can be compared byte for byte."""
    tree = {"b": np.arange(3), "a": {"x": 1.5}}
    assert encode(tree) == encode(snapshot(tree))


def test_an_unknown_tag_is_refused():
    """A state file of a later kit is not read as something else."""
    files = encode({})
    files[STATE_FILE] = json.dumps({"x": {"$later": 1}}).encode()
    with pytest.raises(IntegrityError, match="unknown tag"):
        decode(files)


def test_a_slash_in_a_key_is_no_level_of_the_tree():
    """Keys that only look like a path keep their own arrays."""
    tree = {"a/b": np.arange(3), "a": {"b": np.ones(2)}, "a~1b": np.zeros(1)}
    back = decode(encode(tree))
    assert [back["a/b"].tolist(), back["a"]["b"].tolist(), back["a~1b"].tolist()] == [[0, 1, 2], [1, 1], [0]]
