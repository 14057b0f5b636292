import pytest

from kit.timing.budget import read_budget
from tests.timing.budget.made import SHIPPED, made


@pytest.fixture(scope="module")
def shipped():
    """What budget.yaml comes to."""
    return read_budget(SHIPPED).as_json()


def test_the_total_is_that_of_the_formula(shipped):
    """One-time 3–4, core (30–31.5 + 150–200) × 3, ablations as much, online 72 × 3, and 15 % on all of it."""
    hours = {group["name"]: group["gpu_hours"] for group in shipped["groups"]}
    assert hours == {
        "one_time": {"low": 3.0, "high": 4.0},
        "core": {"low": 540.0, "high": 694.5},
        "ablation": {"low": 540.0, "high": 694.5},
        "online": {"low": 216.0, "high": 216.0},
    }
    assert shipped["before_contingency"]["gpu_hours"] == {"low": 1299.0, "high": 1609.0}
    assert shipped["contingency"]["gpu_hours"] == pytest.approx({"low": 194.85, "high": 241.35})
    assert shipped["total"]["gpu_hours"] == pytest.approx({"low": 1493.85, "high": 1850.35})


def test_planning_budgets_have_a_total_of_their_own(shipped):
    """4 once, 260 × 3 twice, 216 online: 1,780, and 15 % on it."""
    assert shipped["total"]["planning_gpu_hours"] == pytest.approx({"low": 2047.0, "high": 2047.0})


def test_storage_is_that_of_the_online_cycles_and_a_lower_bound(shipped):
    """Three cycles of 500 GB, shared out by hours: 24 of 72 and 48 of 72; the other stages say nothing."""
    assert shipped["total"]["storage_gb"] == pytest.approx({"low": 1500.0, "high": 1500.0})
    assert shipped["total"]["storage_known"] is False
    runs = {stage["name"]: stage["run"]["storage_gb"]["low"] for stage in shipped["stages"]}
    assert runs["domain_adaptation"] == pytest.approx(500 / 3)
    assert runs["continual_learning"] == pytest.approx(1000 / 3)


def test_money_is_hours_times_the_price_of_the_first_card(shipped):
    """1.3–2 USD for each GPU-hour of an A100 40GB, contingency included."""
    assert shipped["total"]["money"] == pytest.approx({"low": 1493.85 * 1.3, "high": 1850.35 * 2})


def test_kaggle_weeks_and_sessions(shipped):
    """GPU-hours ÷ 30; as billed, two-card stages count half: (1299 − 108) × 1.15 h ÷ 30, and ÷ 12 rounded up."""
    kaggle = shipped["kaggle"]
    assert kaggle["weeks"] == pytest.approx({"low": 1493.85 / 30, "high": 1850.35 / 30})
    assert kaggle["weeks_billed"] == pytest.approx({"low": 1191 * 1.15 / 30, "high": 1501 * 1.15 / 30})
    assert kaggle["sessions"] == {"low": 115, "high": 144}


def test_who_cannot_run_on_kaggle(shipped):
    """112 GB is beyond 2 × 16 GB, 30 GB only fits them together, and what is unknown is said to be."""
    assert shipped["kaggle"]["stages"] == {
        "svd_finetune": "cannot run",
        "svd_analysis": "unknown",
        "sft": "only split over the cards",
        "rft": "unknown",
        "ablations": "only split over the cards",
        "domain_adaptation": "unknown",
        "continual_learning": "unknown",
    }


@pytest.mark.parametrize(
    ("vram", "gpus", "verdict"),
    [
        ("16 GB", "1 GPU", "fits a card"),
        ("16 GB", "2 GPU", "fits a card"),
        ("17 GB", "1 GPU", "only split over the cards"),
        ("33 GB", "1 GPU", "cannot run"),
        ("17 GB", "2 GPU", "cannot run"),
        ("unknown", "1 GPU", "unknown"),
    ],
)
def test_a_stage_is_held_against_kaggles_cards(vram, gpus, verdict):
    """Memory on all GPUs of a run together, against two cards of 16 GB."""
    budget = made(("vram: 30 GB", f"vram: {vram}"), ("gpus: 1 GPU", f"gpus: {gpus}"))
    assert budget.quota.stages == {"sft": verdict}


def test_seeds_and_contingency_scale_the_total():
    """30 GPU-h × 2 seeds; a range of seeds makes a range; 10 % more is 10 % more."""
    assert made().as_json()["total"]["gpu_hours"] == {"low": 60.0, "high": 60.0}
    assert made().as_json()["total"]["storage_gb"] == {"low": 40.0, "high": 40.0}
    ranged = made(("seeds: 2", "seeds: 2-3"), ("contingency: 0 %", "contingency: 10 %")).as_json()
    assert ranged["total"]["gpu_hours"] == pytest.approx({"low": 66.0, "high": 99.0})
    assert ranged["total"]["storage_gb"] == pytest.approx({"low": 40.0, "high": 60.0})


def test_every_figure_is_marked_and_the_shipped_ones_are_all_estimates(shipped):
    """Nobody has measured anything yet, and the document does not pretend."""
    assert shipped["marks"]["measured"] == shipped["marks"]["projected"] == 0
    figures = [one for stage in shipped["stages"] for one in stage["figures"]]
    assert {one["mark"] for one in figures} == {"estimated", "unknown"}
    assert shipped["marks"]["estimated"] > 60
