"""What may succeed later is tried again, in good time; what cannot is not."""

import pytest

from kit.errors import RemoteError
from kit.remote.backoff import Backoff, PassingError


def failing(times: int, **how: object):
    """Return something that fails that often and then returns how often it was called."""
    calls = 0

    def act() -> int:
        nonlocal calls
        calls += 1
        if calls <= times:
            raise PassingError("not now.", **how)  # type: ignore[arg-type]
        return calls

    return act


def test_waits_double_up_to_their_most():
    """2, 4, 8 … 60 seconds without chance; up to a quarter more with it."""
    assert [Backoff(chance=lambda: 0.0).seconds(n) for n in range(1, 8)] == [2, 4, 8, 16, 32, 60, 60]
    assert Backoff(chance=lambda: 1.0).seconds(1) == 2.5


def test_what_the_server_asks_for_comes_first_within_reason():
    """Ten minutes at most."""
    waits = Backoff()
    assert (waits.seconds(1, 7.0), waits.seconds(1, 0.0), waits.seconds(1, 9e9)) == (7.0, 0.0, 600.0)


def test_it_is_tried_again_until_it_succeeds():
    """Three failures, three waits, and the fourth call's answer."""
    waited: list[float] = []
    assert Backoff(pause=waited.append, chance=lambda: 0.0).retry(failing(3), "It") == 4
    assert waited == [2.0, 4.0, 8.0]


def test_it_gives_up_and_says_how_often_it_tried():
    """After as many attempts as it may, without a wait behind the last."""
    waited: list[float] = []
    with pytest.raises(RemoteError, match=r"not now\. Tried 3 times\."):
        Backoff(tries=3, pause=waited.append).retry(failing(9), "It")
    assert len(waited) == 2


def test_another_error_is_not_tried_again():
    """It would only be the same again."""

    def act() -> None:
        raise RemoteError("never.")

    with pytest.raises(RemoteError, match=r"^never\.$"):
        Backoff(pause=lambda _: pytest.fail("waited")).retry(act, "It")
