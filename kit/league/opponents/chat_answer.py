r"""What a chat endpoint answered: the text in a completion, and the action in that text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kit.errors import GameError
from kit.league.action_parser import parse_action
from kit.league.prompt_templates import QWEN3_ZS

_BRACKETED = re.compile(r"\[([^\[\]]+)\]")


def answered_text(completion: Mapping[str, Any], who: str) -> str:
    """Return what the model said; ``who`` is whom errors name.

    Raises:
        GameError: it is no completion, or one without an answer.
    """
    try:
        choice = completion["choices"][0]
        message = choice["message"]
        content, refusal = message.get("content"), message.get("refusal")
        reason = choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise GameError(f"{who}: its answer is no chat completion: {str(dict(completion))[:80]!r}.") from None
    if refusal:
        raise GameError(f"{who} refuses to play: {str(refusal)[:200]!r}.")
    if content is not None and not isinstance(content, str):
        raise GameError(f"{who}: the content of its answer is no text: {str(content)[:80]!r}.")
    if content is None or not content.strip():
        raise GameError(f"{who} gave an empty answer (it ended by {reason!r}).")
    return content


def answered_action(text: str, legal: Sequence[str]) -> str:
    r"""Return the bare action in a free answer, empty where there is none.

    The last ``\boxed{}`` counts; without one a text that is nothing but a legal action; else what stands in the last
    square brackets. Whether it is legal is the game's to say.
    """
    boxed, found = parse_action(text, QWEN3_ZS)
    if found:
        return boxed
    whole = text.strip().strip("[]'\"`.* ")
    if whole.casefold() in {action.casefold() for action in legal}:
        return whole
    bracketed = _BRACKETED.findall(text)
    return bracketed[-1].strip() if bracketed else ""
