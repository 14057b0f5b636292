r"""Prompt templates, by name: what a model is asked, in two parts, and in which form it is to answer.

=============  ============================================================================  ===================
name           prompt                                                                        answer
=============  ============================================================================  ===================
``qwen3-zs``   Qwen3's chat form: the rules, what to do, the state                           ``\boxed{action}``
``compact``    a word for the role, ``View.compact``, a cue                                  the bare action
=============  ============================================================================  ===================

The fixed part of a prompt holds nothing but the rules and the role, so that it is the same in every game of a role.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from kit.errors import UsageError, choose
from kit.league.game import View
from kit.lm.generation import Prompt

BOXED, BARE = "boxed", "bare"
FORMS = (BOXED, BARE)
CUE = ">"
"""What a compact prompt ends with: here an action is wanted."""
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class PromptTemplate:
    """How a view becomes a prompt.

    Attributes:
        name: that specs call it by.
        fixed: returns what every prompt of a role begins with; it may look at ``rules`` and ``player`` only.
        rest: returns what follows.
        stop: texts that end an answer, each one token of the models it is for.
        form: BOXED, an answer of any length with the action in a box; BARE, nothing but the action.
    """

    name: str
    fixed: Callable[[View], str]
    rest: Callable[[View], str]
    stop: tuple[str, ...]
    form: str

    def __post_init__(self) -> None:
        choose("form of an answer", self.form, dict.fromkeys(FORMS))

    def prompt(self, view: View) -> Prompt:
        """Return the prompt for what a player sees."""
        return Prompt(self.fixed(view), self.rest(view))

    def answer(self, action: str) -> str:
        """Return the shortest answer that makes ``action``: what a warm-up teaches."""
        return f"\\boxed{{{action}}}" if self.form == BOXED else action


def _chat_fixed(view: View) -> str:
    return (
        "<|im_start|>user\n"
        "You play a game. Choose a legal action, and play to win.\n"
        "Reason step by step, and put your final answer within \\boxed{}.\n\n"
        f"{view.rules.rstrip()}\n\n"
    )


def _chat_rest(view: View) -> str:
    return f"{view.state.strip()}<|im_end|>\n<|im_start|>assistant\n"


def _role_fixed(view: View) -> str:
    return f"{role_word(view.rules)}{view.player}\n"


def _compact_rest(view: View) -> str:
    return f"{view.compact}\n{CUE}"


@lru_cache(256)
def role_word(rules: str) -> str:
    """Return four letters that stand for ``rules``, so that no two games in a league begin alike (CRC-32)."""
    number = zlib.crc32(rules.encode("utf-8", "surrogatepass"))
    letters = []
    for _ in range(4):
        number, place = divmod(number, len(LETTERS))
        letters.append(LETTERS[place])
    return "".join(letters)


QWEN3_ZS = PromptTemplate("qwen3-zs", _chat_fixed, _chat_rest, ("<|im_end|>",), BOXED)
COMPACT = PromptTemplate("compact", _role_fixed, _compact_rest, ("\n",), BARE)

_TEMPLATES = {one.name: one for one in (QWEN3_ZS, COMPACT)}


def find_template(name: str) -> PromptTemplate:
    """Return the template of that name.

    Raises:
        UnknownNameError: there is none; lists those there are and the nearest.
    """
    return choose("prompt template", name, _TEMPLATES)


def register_template(template: PromptTemplate) -> PromptTemplate:
    """Add a template, in every process that uses it, and before specs that name it; the same one twice is fine.

    Raises:
        UsageError: another one has the name.
    """
    if _TEMPLATES.setdefault(template.name, template) != template:
        raise UsageError(
            f"There is another prompt template {template.name!r} already: give this one its own name."
        )
    return template
