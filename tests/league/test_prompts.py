"""Specs, templates and the parser: what a model is asked, and what is made of its answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UnknownNameError, UsageError
from kit.league.action_parser import parse_action
from kit.league.env_specs import DEFAULT_OPPONENT, EvalEnvSpec, TrainEnvSpec
from kit.league.game import View
from kit.league.prompt_templates import (
    BARE,
    COMPACT,
    QWEN3_ZS,
    PromptTemplate,
    find_template,
    register_template,
    role_word,
)

VIEW = View(1, "Kuhn poker. You are player 1.", "Your card: Q.\nDone so far: bet.", "Q|bet", ("call", "fold"))

views = st.builds(
    View,
    player=st.integers(0, 3),
    rules=st.text(max_size=20),
    state=st.text(max_size=20),
    compact=st.text(max_size=8),
    legal=st.just(()),
)


def test_the_chat_form_holds_rules_instruction_and_state():
    """Word for word: one user turn, then the assistant's begins."""
    prompt = QWEN3_ZS.prompt(VIEW)
    assert prompt.text == (
        "<|im_start|>user\nYou play a game. Choose a legal action, and play to win.\n"
        "Reason step by step, and put your final answer within \\boxed{}.\n\n"
        "Kuhn poker. You are player 1.\n\nYour card: Q.\nDone so far: bet.<|im_end|>\n<|im_start|>assistant\n"
    )
    assert prompt.fixed.endswith("You are player 1.\n\n")
    assert QWEN3_ZS.stop == ("<|im_end|>",)


def test_the_compact_form_is_as_short_as_it_can_be():
    """A word for the role, the state, a cue; the answer is a line."""
    prompt = COMPACT.prompt(VIEW)
    assert prompt.fixed == f"{role_word(VIEW.rules)}1\n"
    assert prompt.rest == "Q|bet\n>"
    assert COMPACT.stop == ("\n",)
    assert len(prompt.text) < 20


@given(views, views, st.sampled_from([QWEN3_ZS, COMPACT]))
def test_the_fixed_part_knows_the_role_only(one, other, template):
    """Two views of one role have it in common, whatever their states; no state gets into it."""
    same_role = View(one.player, one.rules, other.state, other.compact, other.legal)
    assert template.prompt(one).fixed == template.prompt(same_role).fixed


def test_games_and_roles_begin_differently():
    """So that one model can tell apart the states of two games that are written alike."""
    roles = [("Kuhn poker.", 0), ("Kuhn poker.", 1), ("Tic-tac-toe.", 0), ("Tic-tac-toe.", 1)]
    fixed = [COMPACT.prompt(View(player, rules, "", "x", ())).fixed for rules, player in roles]
    assert len(set(fixed)) == 4


@given(st.sampled_from([QWEN3_ZS, COMPACT]), st.sampled_from(["4", "check", "0 3", "a1-b2"]))
def test_the_answer_of_a_template_is_read_as_its_action(template, action):
    """What a warm-up teaches has the form that is asked for."""
    assert parse_action(template.answer(action), template) == (action, True)


@pytest.mark.parametrize(
    ("text", "action"),
    [
        (r"I think. \boxed{4}", "4"),
        (r"\boxed{1} no, \boxed{2}", "2"),
        (r"\boxed{[4]}", "4"),
        (r"\boxed{ [ 4 ] }", "4"),
        (r"\boxed{{4}}", "4"),
        (r"\boxed{\text{check}}", "check"),
        (r"\boxed{[\text{check}]}", "check"),
        (r"\boxed {bet}", "bet"),
        (r"\boxed{0 [1] 2}", "0 [1] 2"),
        (r"\boxed{[1] [2]}", "[1] [2]"),
        (r"\boxed{a \boxed{b}}", "b"),
        (r"{ \boxed{4}", "4"),
        (r"\boxed{4} and then \boxed{5", "4"),
        ("\\boxed{\n4\n}", "4"),
    ],
)
def test_the_last_closed_box_is_the_action(text, action):
    """Its brackets off; one that was cut off counts for nothing."""
    assert parse_action(text, QWEN3_ZS) == (action, True)


@pytest.mark.parametrize(
    "text", ["", "4", r"\boxed{}", r"\boxed{[]}", r"\boxed{4", r"\boxed{4} so \boxed{}", "}{"]
)
def test_without_a_box_there_is_no_action(text):
    """Nothing is guessed from the words around it: that would teach that the form does not matter."""
    assert parse_action(text, QWEN3_ZS) == ("", False)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("4", ("4", True)),
        (" check \n", ("check", True)),
        ("[4]", ("4", True)),
        ("4\nbecause", ("4", False)),
        ("\n\n4", ("4", True)),
        ("", ("", False)),
        (" \n ", ("", False)),
        ("[]", ("", False)),
    ],
)
def test_a_bare_answer_is_one_line(text, found):
    """More than the action is not the form that was asked for, though the action is found."""
    assert parse_action(text, COMPACT) == found


@given(
    st.one_of(
        st.text(),
        st.text(alphabet="\\boxed{}[] 4\n"),
        st.lists(st.sampled_from(["\\boxed{", "}", "{", "[", "]", "4", "\\text{"])).map("".join),
    ),
    st.sampled_from([QWEN3_ZS, COMPACT]),
)
def test_the_parser_raises_nothing(text, template):
    """Whatever a model says; what is of the right form has an action."""
    action, format_ok = parse_action(text, template)
    assert bool(action) or not format_ok
    assert action == action.strip()


def test_many_open_boxes_take_no_time():
    """A model that repeats itself for 4,096 tokens is read in one pass."""
    assert parse_action("\\boxed{" * 40_000, QWEN3_ZS) == ("", False)
    assert parse_action("\\boxed{" * 40_000 + "4" + "}" * 40_000, QWEN3_ZS) == ("4", True)


def test_templates_are_found_by_name():
    """An unknown one is an error that names the nearest."""
    assert find_template("compact") is COMPACT
    with pytest.raises(UnknownNameError, match="Did you mean 'qwen3-zs'") as caught:
        find_template("qwen-zs")
    assert caught.value.nearest == "qwen3-zs"


def test_a_template_of_ones_own_is_registered_once():
    """The same one again is nothing new; another one of its name is refused."""
    mine = PromptTemplate("mine", lambda view: view.rules, lambda view: view.state, ("\n",), BARE)
    register_template(mine)
    register_template(mine)
    assert find_template("mine") is mine
    with pytest.raises(UnknownNameError, match=r"Legal: compact, (\S+, )*mine, (\S+, )*qwen3-zs"):
        find_template("nobody's")
    other = PromptTemplate("mine", lambda view: view.rules, lambda view: view.compact, ("\n",), BARE)
    with pytest.raises(UsageError, match="another prompt template 'mine'"):
        register_template(other)


def test_a_form_of_answers_is_one_of_two():
    """A misspelt one is no third form."""
    with pytest.raises(UnknownNameError, match="Did you mean 'boxed'"):
        PromptTemplate("x", lambda view: view.rules, lambda view: view.state, (), "boxd")


def test_specs_are_the_documented_ones():
    """All players learning is mirror self-play; evaluation has Unstable Baselines' opponent where none is named."""
    assert TrainEnvSpec("SimpleTak-v0-train", 2, 2, "qwen3-zs").mirror
    assert not TrainEnvSpec("SimpleTak-v0-train", 2, 1, "qwen3-zs").mirror
    assert EvalEnvSpec("Kuhn-v0", 2, "compact").fixed_opponent == DEFAULT_OPPONENT


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: TrainEnvSpec("Kuhn-v0", 2, 3, "compact"), "num_actors of Kuhn-v0 must be 1 to 2"),
        (lambda: TrainEnvSpec("Kuhn-v0", 2, 0, "compact"), "num_actors of Kuhn-v0 must be 1 to 2"),
        (lambda: TrainEnvSpec("Kuhn-v0", 0, 0, "compact"), "num_players of Kuhn-v0 must be at least 1"),
        (lambda: TrainEnvSpec("", 2, 2, "compact"), "env_id"),
        (lambda: TrainEnvSpec("Kuhn-v0", 2, 2, "compct"), "Did you mean 'compact'"),
        (lambda: EvalEnvSpec("Kuhn-v0", 2, "compact", ""), "fixed_opponent of Kuhn-v0"),
    ],
)
def test_a_spec_that_cannot_be_played_is_refused(make, words):
    """When it is made, naming the value and the legal ones."""
    with pytest.raises(UsageError, match=words):
        make()
