"""Device, number format, threads, and seeds that leave the global generator alone."""

import pytest
import torch

from kit.errors import UnknownNameError, UsageError
from kit.lm.devices import one_thread, pick_device, pick_devices, pick_dtype, seeded


def test_a_cpu_computes_in_float32():
    """Half precision is slow there; what is asked for is taken."""
    assert pick_dtype(torch.device("cpu")) == torch.float32
    assert pick_dtype(torch.device("cpu"), "bfloat16") == torch.bfloat16
    assert pick_dtype(torch.device("cpu"), torch.float64) == torch.float64


@pytest.mark.parametrize(("capability", "dtype"), [((7, 5), torch.float16), ((8, 0), torch.bfloat16)])
def test_a_gpu_computes_in_what_it_knows(monkeypatch, capability, dtype):
    """A T4 only emulates bfloat16; from sm80 on it is native."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert pick_dtype(torch.device("cuda")) == dtype


@pytest.mark.parametrize("wanted", ["gpu", "cuda:97"])
def test_a_device_that_is_not_there_is_named(wanted):
    """The message has the wish, the nearest field the way out."""
    with pytest.raises(UsageError, match=wanted) as caught:
        pick_device(wanted)
    assert caught.value.nearest == "cpu"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (None, ["cuda:0", "cuda:1"]),
        ("cuda", ["cuda:0", "cuda:1"]),
        ("cuda:1", ["cuda:1"]),
        (["cuda:1", "cuda:0"], ["cuda:1", "cuda:0"]),
        (["cpu", "cpu"], ["cpu", "cpu"]),
    ],
)
def test_devices_are_every_gpu_or_those_that_are_asked_for(monkeypatch, wanted, found):
    """In the order of the wish; of a machine with two."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(device) for device in pick_devices(wanted)] == found


@pytest.mark.parametrize("wanted", [["cuda:0", "cuda:0"], ["cuda", "cuda:1"], []])
def test_a_gpu_is_asked_for_once(monkeypatch, wanted):
    """Two models on one would hold twice its memory; none at all is no answer either."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UsageError, match="Each GPU can be asked for once"):
        pick_devices(wanted)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_is_the_cpu():
    """One, whatever its cores."""
    assert pick_devices() == [torch.device("cpu")]


def test_an_unknown_dtype_names_the_nearest():
    """float16 and float32 are near misses of each other."""
    with pytest.raises(UnknownNameError) as caught:
        pick_dtype(torch.device("cpu"), "flaot16")
    assert caught.value.nearest == "float16"


def test_decoding_has_one_thread_and_gives_the_others_back():
    """Whatever torch was told before."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread(torch.device("cpu")):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_seeded_draws_leave_the_global_generator_alone():
    """The same seed draws the same numbers, and outside nothing has been drawn."""
    state = torch.random.get_rng_state()
    drawn = []
    for _ in range(2):
        with seeded(5):
            drawn.append(torch.rand(3))
    assert torch.equal(*drawn)
    assert torch.equal(torch.random.get_rng_state(), state)
