"""Gates and guards: what each rule lets pass, and that its counts add up."""

import io
import itertools
import math
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UnknownNameError, UsageError
from kit.harness.throttle import LogThrottle
from kit.harness.throttle_rules import EveryN, LastOnly, OnChange, PerSecond, Rule, Share
from tests.harness.test_throttle_rules import RULES


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:  # noqa: D102
        return self.now


def passed(ask: Callable[[int], bool], calls: int) -> list[int]:
    """Return the calls, of ``calls``, for which ``ask`` said yes."""
    return [call for call in range(calls) if ask(call)]


def asker(throttle: LogThrottle, guarded: bool) -> Callable[[int], bool]:
    """Return a way to ask tag A: by its guard, or with a line printed to a stream."""
    if guarded:
        guard = throttle.guard("A")
        return lambda call: guard(call)
    out = io.StringIO()
    stream = throttle.stream(out)

    def ask(call: int) -> bool:
        before = out.tell()
        print(f"[A] {call}", file=stream)
        return out.tell() > before

    return ask


@pytest.mark.parametrize("guarded", [True, False])
@given(rule=RULES, calls=st.integers(0, 400))
def test_passed_and_dropped_add_up_to_seen(guarded: bool, rule: Rule, calls: int) -> None:
    """For every rule, by guard or by line, each call is counted once, and passes exactly when it said so."""
    throttle = LogThrottle({"A": rule}, clock=Clock())
    said_yes = passed(asker(throttle, guarded), calls)
    counts = throttle.counts()["A"]
    assert (counts.passed, counts.seen) == (len(said_yes), calls)


@pytest.mark.parametrize("guarded", [True, False])
@given(percent=st.integers(0, 1000).map(lambda tenths: tenths / 10), calls=st.integers(0, 1500))
def test_a_share_is_exact_and_even(guarded: bool, percent: float, calls: int) -> None:
    """⌈calls · percent / 100⌉ lines pass, and the gaps between them differ by one line at most."""
    throttle = LogThrottle({"A": Share(percent)})
    said_yes = passed(asker(throttle, guarded), calls)
    assert len(said_yes) == math.ceil(calls * round(percent * 10) / 1000)
    if len(said_yes) > 1:
        gaps = [right - left for left, right in itertools.pairwise(said_yes)]
        assert max(gaps) - min(gaps) <= 1


def test_every_n_counts_calls_until_a_step_is_told() -> None:
    """Without steps, one call in n passes, the first among them."""
    throttle = LogThrottle({"A": EveryN(100)})
    assert passed(asker(throttle, True), 450) == [0, 100, 200, 300, 400]


def test_every_n_goes_by_steps_once_told_and_keeps_a_block_whole() -> None:
    """All six lines of steps 0, 100, 200 pass and none of the steps between."""
    throttle = LogThrottle({"A": EveryN(100)})
    ask = asker(throttle, False)
    shown = set()
    for step in range(250):
        throttle.step(step)
        shown |= {step for _ in range(6) if ask(step)}
    assert shown == {0, 100, 200}
    assert throttle.counts()["A"].passed == 18


def test_every_n_is_aligned_whatever_the_stride_or_the_start() -> None:
    """A run that resumes at step 1,340 with eight environments logs in the same blocks as one from 0."""
    throttle = LogThrottle({"A": EveryN(100)})
    guard = throttle.guard("A")
    shown = []
    for step in range(1_340, 1_640, 8):
        throttle.step(step)
        if guard():
            shown.append(step)
    assert shown == [1_340, 1_404, 1_500, 1_604]


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["", "A", "B", "AAB"])), max_size=60))
def test_a_step_before_the_next_that_counts_need_not_be_told(walk: list[tuple[int, str]]) -> None:
    """Told only from ``steps.next`` on, as hot paths do, the same lines pass as when every step is told."""
    rules = {"A": EveryN(7), "B": EveryN(20)}

    def shown(told: Callable[[LogThrottle, int], bool]) -> list[tuple[int, str]]:
        throttle, step, lines = LogThrottle(rules), 0, []
        guards = {tag: throttle.guard(tag) for tag in rules}
        for stride, tags in walk:
            step += stride
            if told(throttle, step):
                throttle.step(step)
            lines += [(step, tag) for tag in tags if guards[tag]()]
        return lines

    assert shown(lambda throttle, step: step >= throttle.steps.next) == shown(lambda *_: True)


def test_going_back_to_a_step_closes_a_gate_that_was_used_since() -> None:
    """A run that is set back logs no more lines of the block than one that goes on."""
    throttle = LogThrottle({"A": EveryN(100)})
    guard = throttle.guard("A")
    shown = []
    for step in (100, 105, 100, 101, 109):
        throttle.step(step)
        if guard():
            shown.append(step)
    assert shown == [100]


def test_a_rare_tag_is_not_lost_between_due_steps() -> None:
    """A tag that is not logged in the due step passes at its first line after it."""
    throttle = LogThrottle({"A": EveryN(100)})
    guard = throttle.guard("A")
    shown = []
    for step in range(300):
        throttle.step(step)
        if step % 70 == 65 and guard():
            shown.append(step)
    assert shown == [65, 135, 205]


def test_a_flood_within_one_due_step_is_cut() -> None:
    """16,679 lines in a step that is due do not all pass: ten do."""
    throttle = LogThrottle({"A": EveryN(100)})
    throttle.step(0)
    assert len(passed(asker(throttle, False), 16_679)) == 10


def test_on_change_passes_changes_only() -> None:
    """A value passes when it differs from the one before, also back to an earlier one."""
    throttle = LogThrottle({"A": OnChange()})
    guard = throttle.guard("A")
    assert [guard(phase) for phase in (0, 0, 1, 1, 1, 0, None, None)] == [
        True,
        False,
        True,
        False,
        False,
        True,
        True,
        False,
    ]


def test_last_only_passes_nothing() -> None:
    """No call passes before the flush."""
    throttle = LogThrottle({"A": LastOnly()})
    assert passed(asker(throttle, True), 50) == []


@pytest.mark.parametrize("guarded", [True, False])
@given(
    rate=st.sampled_from([0.25, 1, 3, 7.5]),
    gaps=st.lists(st.floats(0, 2, allow_nan=False), min_size=1, max_size=200),
)
def test_per_second_holds_in_every_window(guarded: bool, rate: float, gaps: list[float]) -> None:
    """No second (below 1/s: no 1/r seconds) holds more than r passed lines, wherever it begins."""
    clock = Clock()
    throttle = LogThrottle({"A": PerSecond(rate)}, clock=clock)
    ask = asker(throttle, guarded)
    times = []
    for call, gap in enumerate(gaps):
        clock.now += gap
        if ask(call):
            times.append(clock.now)
    window, most = max(1.0, 1 / rate), max(1, math.floor(rate))
    assert times[0] == gaps[0]
    assert all(sum(start <= at < start + window for at in times) <= most for start in times)


def test_per_second_opens_again() -> None:
    """A line a second later passes."""
    clock = Clock()
    throttle = LogThrottle({"A": PerSecond(2)}, clock=clock)
    guard = throttle.guard("A")
    assert [guard() for _ in range(4)] == [True, True, False, False]
    clock.now = 1.0
    assert guard()


@pytest.mark.parametrize(
    "rule", [EveryN(3, "calls"), Share(30), OnChange(), LastOnly(), PerSecond(50), EveryN(1), Share(100)]
)
def test_counts_add_up_across_threads(rule: Rule) -> None:
    """Four threads at guards and lines of one tag lose no count."""
    throttle = LogThrottle({"A": rule})
    said_yes = [0] * 4
    start = threading.Barrier(4)

    def work(index: int) -> None:
        ask = asker(throttle, guarded=index < 2)
        start.wait()
        said_yes[index] = sum(ask(call % 5) for call in range(5_000))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = throttle.counts()["A"]
    assert (counts.seen, counts.passed) == (20_000, sum(said_yes))
    if rule in (EveryN(1), Share(100)):
        assert counts.dropped == 0


def test_a_guard_speaks_for_the_lines_that_follow_it() -> None:
    """A line logged because its guard passed is not judged, and not counted, a second time."""
    throttle = LogThrottle({"A": EveryN(10, "calls")})
    guard = throttle.guard("A")
    ask = asker(throttle, False)
    shown = [call for call in range(100) if guard() and ask(call)]
    assert shown == list(range(0, 100, 10))
    assert throttle.counts()["A"].passed == 10
    assert throttle.counts()["A"].bytes_passed > 0


@pytest.mark.parametrize("rule", [OnChange(), LastOnly()])
def test_a_guard_that_needs_a_value_says_so(rule: Rule) -> None:
    """Such a guard called without its value is an error at the first call."""
    guard = LogThrottle({"A": rule}).guard("A")
    with pytest.raises(UsageError, match="call it with"):
        guard()
    with pytest.raises(UsageError, match="call it with"):
        guard()


def test_a_misspelt_tag_is_an_error_with_the_nearest() -> None:
    """A guard for a tag without a rule names the closest one, unless it brings a rule."""
    throttle = LogThrottle()
    with pytest.raises(UnknownNameError) as caught:
        throttle.guard("REWARD_MICROSOPE")
    assert caught.value.nearest == "REWARD_MICROSCOPE"
    assert throttle.guard("MY_TAG", "every 2 calls")()
    with pytest.raises(UsageError, match="has the rule 'every 2 calls'"):
        throttle.guard("MY_TAG", EveryN(3))


def test_two_spellings_of_a_tag_cannot_both_have_a_rule() -> None:
    """Rules that would compete for the same lines are refused."""
    with pytest.raises(UsageError, match="GPU memory"):
        LogThrottle({"GPU_MEMORY": Share(1), "GPU memory": Share(2)})


def test_what_is_not_a_rule_is_refused() -> None:
    """A rule of a wrong type is an error on construction."""
    with pytest.raises(UsageError, match="not a throttle rule"):
        LogThrottle({"A": 10})  # type: ignore[dict-item]
