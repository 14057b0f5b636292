import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.harness.clock import ManualClock
from kit.timing.phases import PHASES, PhaseTimer

NAMES = st.sampled_from([*PHASES, "baselines"])


def totals(timer: PhaseTimer) -> dict[str, float]:
    """Seconds by phase."""
    return {str(row["name"]): float(row["total_s"]) for row in timer.rows()}


@given(st.lists(st.tuples(NAMES, st.integers(0, 1_000)), max_size=50))
def test_phases_are_exclusive_and_complete(moves):
    """However it is switched, each instant is in exactly one phase: the totals sum up to the time elapsed."""
    clock = ManualClock()
    timer = PhaseTimer(clock, began=clock.monotonic() - 7.0)
    for name, seconds in moves:
        timer.switch(name)
        clock.advance(seconds)
    elapsed = clock.monotonic() - ManualClock().monotonic() + 7.0
    assert sum(totals(timer).values()) == pytest.approx(elapsed)


def test_a_nested_phase_is_taken_out_of_the_one_around_it():
    """A checkpoint inside of training is not training; afterwards the outer phase goes on."""
    clock = ManualClock()
    timer = PhaseTimer(clock, "rollout")
    clock.advance(1.0)
    with timer.phase("evaluate", count=4):
        clock.advance(10.0)
        with timer.phase("checkpoint"):
            clock.advance(100.0)
        assert timer.current == "evaluate"
    clock.advance(2.0)
    assert totals(timer) == {"rollout": 3.0, "evaluate": 10.0, "checkpoint": 100.0}
    assert timer.phases["evaluate"].count == 4


def test_a_phase_that_raises_is_left():
    """An error inside a block leaves the clock in the phase around it."""
    timer = PhaseTimer(ManualClock(), "rollout")
    with pytest.raises(KeyError), timer.phase("evaluate"):
        raise KeyError
    assert timer.current == "rollout"


def test_rows_stand_in_the_order_of_a_run_with_means():
    """Known phases first, in their order; mean_s is seconds a unit, zero where nothing was counted."""
    clock = ManualClock()
    timer = PhaseTimer(clock, "own")
    for name, seconds in (("update", 4.0), ("setup", 1.0)):
        timer.switch(name)
        clock.advance(seconds)
    timer.add_count("update", 8)
    rows = timer.rows()
    assert [row["name"] for row in rows] == ["setup", "update", "own"]
    assert [row["mean_s"] for row in rows] == [0.0, 0.5, 0.0]


def test_cpu_time_is_scaled_up_from_samples():
    """Half busy on every visit, a phase is half CPU, though its clock is read on one visit of 32 only."""
    clock = ManualClock()
    timer = PhaseTimer(clock, "update")
    for _ in range(200):
        timer.switch("rollout", count=1)
        clock.burn(1.0)
        clock.advance(1.0)
        timer.switch("update")
        clock.advance(1.0)
    rows = {row["name"]: row for row in timer.rows()}
    assert rows["rollout"]["cpu_s"] == pytest.approx(200.0)
    assert rows["update"]["cpu_s"] == pytest.approx(0.0)


def test_what_was_nested_in_what_can_be_read():
    """Each pair of an outer and an inner phase is told with its visits and its whole time, deeper phases included."""
    clock = ManualClock()
    timer = PhaseTimer(clock, "rollout")
    for _ in range(3):
        with timer.phase("evaluate", count=4):
            clock.advance(10.0)
            with timer.phase("checkpoint"):
                clock.advance(100.0)
    with timer.phase("checkpoint"):
        clock.advance(1.0)
    assert timer.nesting() == [
        {"name": "checkpoint", "inside": "evaluate", "visits": 3, "count": 3.0, "total_s": 300.0},
        {"name": "evaluate", "inside": "rollout", "visits": 3, "count": 12, "total_s": 330.0},
        {"name": "checkpoint", "inside": "rollout", "visits": 1, "count": 1.0, "total_s": 1.0},
    ]


@given(st.recursive(st.just([]), lambda inner: st.lists(st.tuples(NAMES, inner), max_size=4), max_leaves=20))
def test_nesting_agrees_with_the_exclusive_rows(tree):
    """However phases nest, what lies inside the outermost phase is what its own row does not have."""
    clock = ManualClock()
    timer = PhaseTimer(clock, "outermost")
    enter(timer, clock, tree)
    inside = sum(row["total_s"] for row in timer.nesting() if row["inside"] == "outermost")
    assert inside + totals(timer)["outermost"] == pytest.approx(sum(totals(timer).values()))


def enter(timer: PhaseTimer, clock: ManualClock, tree: list) -> None:
    """Spend a second in each phase of the tree, and one before it."""
    for name, inner in tree:
        clock.advance(1.0)
        with timer.phase(name):
            clock.advance(1.0)
            enter(timer, clock, inner)
