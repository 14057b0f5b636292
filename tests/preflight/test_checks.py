"""What each check makes of numbers, on small ones that can be followed by hand."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kit.preflight.action_effect import ACTION, Fork
from kit.preflight.alternation import ALTERNATION, Contest
from kit.preflight.check import FAIL, NOTE, PASS, as_json, fails, passes
from kit.preflight.episode_end import ENDS
from kit.preflight.gpu_used import GPU_USED, DeviceSeen
from kit.preflight.learning import WEIGHTS, Learning
from kit.preflight.notebook_source import COMPUTED, keywords_of, names_that_follow
from kit.preflight.observation import CHANGE, SPACE
from kit.preflight.resume import RESUME, RoundTrip
from kit.preflight.reward import REWARD, look_at_rewards
from kit.preflight.schedule import SCHEDULE, Schedules, totals_in
from kit.preflight.trace import Episode, Trace


def trace(
    observations: Any, dones: Any = (), truncated: Any = (), low: float = -1.0, high: float = 1.0, **more: Any
) -> Trace:
    """Return the trace of one environment: (T + 1, D) observations, and the steps at which its episodes end."""
    seen = np.asarray(observations, np.float64)[:, None, :]
    steps = len(seen) - 1
    over, cut = np.zeros((steps, 1), bool), np.zeros((steps, 1), bool)
    over[list(dones)], cut[list(truncated)] = True, True
    d = seen.shape[2]
    return Trace(seen, np.ones((steps, 1)), over | cut, cut, np.full(d, low), np.full(d, high), **more)


def test_episodes_are_cut_out_of_a_trace_by_their_ends():
    """Ends at steps 2 and 4 make episodes of 3 and 2 steps; what is unfinished is none."""
    one = trace(np.arange(8.0)[:, None], dones=[2], truncated=[4])
    assert one.seen == (Episode(0, 0, 3, False), Episode(0, 3, 2, True))
    assert one.observed(one.seen[1]).ravel().tolist() == [3.0, 4.0]


@given(st.lists(st.sampled_from(["goes on", "over", "cut"]), min_size=1, max_size=40))
def test_episodes_and_what_is_unfinished_make_up_the_trace(steps):
    """Every end is that of one episode, of its kind, and the lengths add up to the step of the last end."""
    ends = [step for step, what in enumerate(steps) if what != "goes on"]
    one = trace(np.zeros((len(steps) + 1, 1)), ends, [step for step in ends if steps[step] == "cut"])
    assert [episode.truncated for episode in one.seen] == [steps[step] == "cut" for step in ends]
    assert sum(episode.length for episode in one.seen) == (ends[-1] + 1 if ends else 0)


@pytest.mark.parametrize(
    ("rewards", "status", "says"),
    [
        ([], NOTE, "No step"),
        ([0.0, 0.0], FAIL, "All 2 rewards are zero"),
        ([1.0, float("nan")], FAIL, "1 of 2 rewards"),
        ([1.0, float("inf")], FAIL, "not finite"),
        ([-1.0, -1.0], NOTE, "are -1"),
        ([0.0, 0.0, 0.0, 1.0], PASS, "75% of them zero"),
    ],
)
def test_rewards(rewards, status, says):
    """Zero, NaN and infinity fail; another constant is a note."""
    verdict = look_at_rewards(np.array(rewards))
    assert (verdict.status, says in verdict.saw) == (status, True), verdict


@given(arrays(np.float64, st.integers(2, 50), elements=st.floats(-1e6, 1e6)))
def test_only_zeros_fail_of_all_finite_rewards(rewards):
    """Whatever else they are, finite rewards that are not all zero stop nothing."""
    assert (look_at_rewards(rewards).status == FAIL) == (not rewards.any())


def test_observations_outside_their_space_are_counted_and_placed():
    """Component 1 is at 3 in one of four steps, and its space ends at 1."""
    verdict = SPACE.look(trace([[0, 0], [0, 3], [0, 0], [0, 1]]))
    assert verdict.status == FAIL
    assert "Component 1 (1 of 2) leaves its bounds in 25% of the steps" in verdict.saw
    assert SPACE.look(trace([[0.5], [np.nan]])).saw == "Component 0 (1 of 1) is NaN."
    assert SPACE.look(trace([[-1.0], [1.0]])).status == PASS


def test_constant_and_flat_observations():
    """One value fails; at its bound in 99 % of the steps fails; most components at rest are a note; else it passes."""
    assert CHANGE.look(trace([[0.5, 0.2]] * 9)).status == FAIL
    flat = np.ones((201, 1))
    flat[7] = 0.3
    assert "clipped flat" in CHANGE.look(trace(flat)).saw
    resting = np.zeros((5, 3))
    resting[:, 0] = np.arange(5) / 10
    assert CHANGE.look(trace(resting)).status == NOTE
    assert CHANGE.look(trace(np.linspace(-0.9, 0.9, 9)[:, None])).status == PASS


def fork(first: Any, again: Any, other: Any, agree_after: int = 1) -> Fork:
    """Return a fork of one environment with one component."""
    shaped = [np.asarray(values, np.float64).reshape(-1, 1, 1) for values in (first, again, other)]
    return Fork(shaped[0], shaped[1], shaped[2], agree_after)


@pytest.mark.parametrize(
    ("forks", "status"),
    [
        ((), NOTE),
        ((fork([0, 1, 2, 3], [0, 1, 2, 4], [0, 5, 6, 7]),), NOTE),
        ((fork([0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3]),), FAIL),
        ((fork([0, 1, 2, 3], [0, 1, 2, 3], [0, 9, 2, 3]),), FAIL),
        ((fork([0, 1, 2, 3], [0, 1, 2, 3], [0, 9, 8, 3]),), PASS),
        (
            (fork([0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3]), fork([0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 9, 9])),
            PASS,
        ),
    ],
    ids=["one action", "chance", "deaf", "echo", "lasting", "one of two"],
)
def test_an_action_must_leave_something_behind(forks, status):
    """Different observations after the actions agree again pass; only while they differ, or never, fails."""
    assert ACTION.look(forks).status == status


def test_ends_of_episodes():
    """Equal lengths without a clock are a time limit; a clock, other lengths or truncation are none."""
    noise = np.random.default_rng(0).normal(size=(13, 1)).clip(-1, 1)
    assert ENDS.look(trace(noise, dones=[3, 7, 11])).status == FAIL
    assert ENDS.look(trace(noise, dones=[3, 6, 11])).status == PASS
    assert ENDS.look(trace(noise, truncated=[3, 7, 11])).status == PASS
    assert ENDS.look(trace(noise, truncated=[3, 6, 11])).status == NOTE
    assert ENDS.look(trace(noise)).status == NOTE
    assert ENDS.look(trace(noise, dones=range(12))).status == PASS
    clock = np.array([[step % 4 / 4] for step in range(13)])
    assert ENDS.look(trace(clock, dones=[3, 7, 11])).status == PASS
    assert "terminal_observation" in ENDS.look(trace(noise, dones=[3], without_last=1)).saw


def test_weights():
    """(3, 4) apart is 5; unchanged, NaN and one that stayed are told."""
    before = {"a": np.zeros(2), "b": np.zeros(1)}
    moved = Learning(1, 10, before, {"a": np.array([3.0, 4.0]), "b": np.ones(1) * 0.0})
    assert WEIGHTS.look(moved).saw == "1 of 2 trainable weights changed, by 5 in all; b did not."
    assert WEIGHTS.look(Learning(1, 10, before, before)).status == FAIL
    assert WEIGHTS.look(Learning(1, 10, before, {**before, "a": np.array([np.nan, 0])})).status == FAIL


@pytest.mark.parametrize(
    ("agent", "other", "share", "status"),
    [
        ([2, 2, 2, 2], [1, 1, 1, 1], 0.05, PASS),
        ([2, 2, 0, 0], [1, 1, 0, 1], 0.05, NOTE),
        ([1, 1, 1, 1], [1, 1, 1, 1], 0.05, NOTE),
        ([1, 1, 1, 1], [1, 1, 1, 1], 1.0, FAIL),
        ([9, 0, 0, 0], [1, 1, 1, 1], 1.0, FAIL),
        ([], [], 1.0, NOTE),
    ],
)
def test_alternation_is_judged_when_the_training_is_over(agent, other, share, status):
    """Better in the mean and on three of four starts passes; a match fails a whole training."""
    verdict = ALTERNATION.look(Contest(np.array(agent), np.array(other), 100, share))
    assert verdict.status == status
    assert share == 1.0 or status == PASS or "too early to tell" in verdict.saw


def rate(total: int) -> Any:
    """Return a schedule that closes over its total."""
    return lambda progress: progress * total


class Cosine:
    """A schedule with attributes."""

    def __init__(self) -> None:
        self.max_steps, self.base = 24_000, 3

    def __call__(self, progress: float) -> float:
        """Nothing of interest."""
        return progress


def test_totals_are_found_wherever_a_schedule_keeps_them():
    """In closures, partials, attributes and mappings; other numbers are left alone."""
    settings = {
        "learning_rate": rate(10_000),
        "clip_range": Cosine(),
        "more": {"a": partial(rate, total=5)},
        "seed": 7,
    }
    assert dict(totals_in("", settings)) == {
        "learning_rate.total": 10_000,
        "clip_range.max_steps": 24_000,
        "more.a.total": 5,
    }


def test_schedules_must_go_by_the_plan():
    """Its total, that of the quick test, or either for each environment; and the algorithm must have been given it."""
    right = {"learning_rate": rate(24_000)}
    assert SCHEDULE.look(Schedules(24_000, 1_100, 1_100, 4, right)).status == PASS
    assert SCHEDULE.look(Schedules(24_000, 1_100, 1_100, 4, {"learning_rate": rate(6_000)})).status == PASS
    assert SCHEDULE.look(Schedules(24_000, 1_100, 1_100, 4, {"learning_rate": rate(12_000)})).status == FAIL
    assert SCHEDULE.look(Schedules(24_000, 1_100, 2_000, 4, {})).status == FAIL


def test_a_round_trip_without_the_buffer_fails_and_a_declared_inexactness_is_noted():
    """Weights and buffer are vital; what else differs must have been said."""
    parts = ("weights", "replay buffer", "noise")
    assert RESUME.look(RoundTrip(9, parts, (), 5, None)).status == PASS
    assert RESUME.look(RoundTrip(9, parts, ("replay buffer",), 5, "said")).status == FAIL
    assert RESUME.look(RoundTrip(9, parts, ("noise",), 5, None)).status == FAIL
    assert RESUME.look(RoundTrip(9, parts, ("noise",), 5, "said")).status == NOTE
    assert RESUME.look(RoundTrip(None, (), (), None, None)).status == FAIL


@pytest.mark.parametrize(
    ("asked", "used", "peak", "there", "status"),
    [
        ("auto", "cpu", 0, False, PASS),
        ("cuda", "cpu", 0, False, FAIL),
        ("cuda", "cpu", 0, True, FAIL),
        ("auto", "cpu", 0, True, NOTE),
        ("auto", "cuda:0", 0, True, FAIL),
        ("cuda", "cuda", 10**6, True, PASS),
    ],
)
def test_devices(asked, used, peak, there, status):
    """Asked for and not used fails, used and never filled fails, there and idle is a note."""
    assert GPU_USED.look(DeviceSeen(asked, used, peak, there)).status == status


def test_what_follows_a_name_through_cells():
    """Assignments, branches and mutations carry it on, in any order; a call of the one exception does not."""
    cells = (
        "steps = 8 if quick_test else 500\nmake = partial(env, steps)",
        "if quick_test:\n    n_envs = 1\nelse:\n    n_envs = 4",
        "settings = {}\nsettings.update(a=n_envs)",
        "session = TrainingSession.open(quick_test=quick_test)\nother = 3",
        "%matplotlib inline\nmodel = learn(session, PPO, 'x', make)",
        "this is no Python",
        "horizon = 8 if session.quick_test else 240",
    )
    assert set(names_that_follow(cells, "quick_test", "TrainingSession.open")) == {
        "steps",
        "make",
        "n_envs",
        "settings",
        "model",
        "horizon",
    }


def test_keywords_of_a_call():
    """Literals come as they are, everything else as computed; calls through a module count."""
    cells = ("kit.TrainingSession.open('x', out='/a', throttle=False)\nTrainingSession.open('x', out=out)",)
    assert keywords_of(cells, "TrainingSession.open", "out") == ["/a", COMPUTED]
    assert keywords_of(cells, "TrainingSession.open", "throttle") == [False]


def test_the_object_of_the_command_has_five_words_a_check():
    """A failure fails the whole; what passed leaves nothing to do."""
    found = as_json([REWARD.finding(passes("fine")), REWARD.finding(fails("bad"))])
    assert found["passed"] is False
    assert [check["status"] for check in found["checks"]] == ["pass", "fail"]
    assert found["checks"][0]["todo"] == "nothing"
    assert set(found["checks"][1]) == {"name", "status", "saw", "why", "todo"}
