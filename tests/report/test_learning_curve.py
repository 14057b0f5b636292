import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.report.learning_curve import BINS, bin_rows, chosen_columns
from kit.report.table import Table


def test_few_rows_are_shown_as_they_are() -> None:
    """Up to 200 rows, every measurement is a point of its own."""
    curve = bin_rows([1.0, 2.0, 3.0], [5.0, math.nan, 7.0])
    assert (curve.step, curve.mean, curve.rows_per_point) == ([1.0, 3.0], [5.0, 7.0], 1)


@given(st.lists(st.floats(-1e6, 1e6), min_size=201, max_size=2_000))
def test_no_row_is_lost_in_a_long_run(values: list[float]) -> None:
    """A downsampled curve has at most 80 points, and every row counts in the mean of its bin."""
    curve = bin_rows([float(i) for i in range(len(values))], values)
    sizes = [
        min(curve.rows_per_point, len(values) - i * curve.rows_per_point) for i in range(len(curve.mean))
    ]
    assert len(curve.mean) <= BINS
    total = math.fsum(mean * n for mean, n in zip(curve.mean, sizes, strict=True))
    assert total == pytest.approx(math.fsum(values), rel=1e-9, abs=1e-3)
    assert all(
        min(values) <= low <= high <= max(values) for low, high in zip(curve.low, curve.high, strict=True)
    )


def test_values_no_axis_can_show_are_left_out() -> None:
    """A loss that went to infinity, or to 1e300, does not take the curve with it."""
    assert bin_rows([1.0, 2.0, 3.0, 4.0], [1.0, math.inf, 1e300, 2.0]).mean == [1.0, 2.0]


def test_evaluation_comes_first_and_unmeasured_columns_not_at_all() -> None:
    """The panels are what was measured, what decides first; the same episodes are not shown twice."""
    nan = [math.nan]
    columns = {"step": [1.0], "train_loss": [1.0], "grad_norm": nan, "episode_reward": [2.0], "lr": [3.0]}
    table = Table({**columns, "eval_reward": [4.0], "eval_delay_s_per_vehicle": [5.0]})
    assert chosen_columns(table) == ["eval_delay_s_per_vehicle", "episode_reward", "train_loss", "lr"]
    assert chosen_columns(Table({**columns, "eval_reward": [4.0]}))[0] == "eval_reward"
    assert chosen_columns(Table({"step": nan, "loss": [1.0]})) == []
