"""The action in a free answer."""

import pytest

from kit.league.opponents.chat_answer import answered_action

LEGAL = ("check", "bet")
ANSWERS = {
    r"I check. \boxed{check}": "check",
    r"First \boxed{bet}, no: \boxed{check}.": "check",
    r"\boxed{[bet]}": "bet",
    r"\boxed{\text{bet}}": "bet",
    r"\boxed{ [A0 B0] }": "A0 B0",
    r"\boxed{}": "",
    r"\boxed{raise}": "raise",
    "check": "check",
    " Check. ": "Check",
    "**bet**": "bet",
    "[bet]": "bet",
    "I will [check] here": "check",
    "I will check here": "",
    "": "",
}


@pytest.mark.parametrize("text", ANSWERS)
def test_an_action_is_found(text):
    """The last box, else nothing but a legal action, else the last brackets; what is unclear is no action."""
    assert answered_action(text, LEGAL) == ANSWERS[text]
