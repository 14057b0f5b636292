"""Throttle rules: in words and back, their bounds, and the shipped policy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.harness.throttle_rules import (
    INCIDENT_POLICY,
    EveryN,
    LastOnly,
    OnChange,
    PerSecond,
    Rule,
    Share,
    canonical_tag,
    parse_rule,
)

RULES = st.one_of(
    st.builds(EveryN, st.integers(1, 10**9), st.sampled_from(["steps", "calls"])),
    st.builds(OnChange, st.sampled_from([None, "phase", "state_2"])),
    st.just(LastOnly()),
    st.builds(Share, st.integers(0, 1000).map(lambda tenths: tenths / 10)),
    st.builds(PerSecond, st.integers(1, 1000).map(lambda tenths: tenths / 10)),
)


@given(RULES)
def test_a_rule_reads_back_from_its_own_words(rule: Rule) -> None:
    """``parse_rule(str(rule))`` is the rule."""
    assert parse_rule(str(rule)) == rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("every 100 steps", EveryN(100)),
        ("  Every  1 step ", EveryN(1)),
        ("every 7 calls", EveryN(7, "calls")),
        ("on change", OnChange()),
        ("on change of phase", OnChange("phase")),
        ("last only", LastOnly()),
        ("10 %", Share(10)),
        ("0.5%", Share(0.5)),
        ("5/s", PerSecond(5)),
        ("0.2 per second", PerSecond(0.2)),
    ],
)
def test_the_forms_users_write(text: str, rule: Rule) -> None:
    """Each documented form gives its rule, whatever its spaces and case."""
    assert parse_rule(text) == rule


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("evry 100 steps", "every 100 steps"),
        ("every 100", "every 100 steps"),
        ("5 %%", "5 %"),
        ("on chang", "on change"),
        ("final only", "last only"),
        ("12 / sec", "12/s"),
        ("qqqqqq", None),
    ],
)
def test_an_unknown_form_names_value_legal_forms_and_nearest(text: str, nearest: str | None) -> None:
    """The error repeats the bad text, lists the forms, and offers the nearest with the user's own number."""
    with pytest.raises(UsageError, match="Legal: every") as caught:
        parse_rule(text)
    assert repr(text) in str(caught.value)
    assert caught.value.nearest == nearest


@pytest.mark.parametrize("text", ["every 0 steps", "101 %", "0/s"])
def test_a_number_out_of_range_is_refused_in_words(text: str) -> None:
    """A well-formed rule with an impossible number is an error that names the number."""
    with pytest.raises(UsageError, match=text.split()[1].rstrip("%") if "every" in text else text[:1]):
        parse_rule(text)


@pytest.mark.parametrize(
    "make",
    [
        lambda: EveryN(0),
        lambda: EveryN(2.5),  # type: ignore[arg-type]
        lambda: EveryN(5, "minutes"),  # type: ignore[arg-type]
        lambda: Share(-1),
        lambda: Share(float("nan")),
        lambda: PerSecond(0),
        lambda: PerSecond(float("inf")),
        lambda: OnChange("two words"),
    ],
)
def test_a_rule_is_validated_on_construction(make) -> None:
    """No rule object holds a value that it cannot apply."""
    with pytest.raises(UsageError):
        make()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GPU_MEMORY", "GPU memory"),
        ("STATE_HASH", "state hashes"),
        ("SIMULATION_WARNING", "Simulation warnings"),
        ("BC UPDATE", "bc-updates"),
        ("LOSS", "loss"),
    ],
)
def test_spellings_of_one_tag_are_one_tag(one: str, other: str) -> None:
    """Case, joints and a final plural do not make another tag."""
    assert canonical_tag(one) == canonical_tag(other)


def test_different_tags_stay_apart() -> None:
    """Normalising merges no two tags of the shipped policy, nor ``loss`` with ``los``."""
    assert len({canonical_tag(tag) for tag in INCIDENT_POLICY}) == len(INCIDENT_POLICY)
    assert canonical_tag("loss") != canonical_tag("los")


def test_the_shipped_policy_is_the_one_of_the_incident() -> None:
    """The defaults are the six rules that the timing analysis proposes."""
    assert {tag: str(rule) for tag, rule in INCIDENT_POLICY.items()} == {
        "REWARD_MICROSCOPE": "every 100 steps",
        "BC UPDATE": "on change of phase",
        "QUEUE_DIAGNOSTIC": "every 250 steps",
        "GPU_MEMORY": "10 %",
        "STATE_HASH": "last only",
        "SIMULATION_WARNING": "1 %",
    }
