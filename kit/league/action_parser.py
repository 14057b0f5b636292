"""The action parser: from a model's answer to a bare action, and whether it has the form that was asked for."""

from __future__ import annotations

import re

from kit.league.prompt_templates import BOXED, PromptTemplate

_MARK = re.compile(r"\\boxed\s*\{|\{|\}")
_WORDS = re.compile(r"\\(?:text|textbf|mathrm|mathbf|mathtt|texttt)\{([^{}]*)\}")
_WRAPPED = re.compile(r"\[([^\[\]]*)\]|\{([^{}]*)\}")


def parse_action(text: str, template: PromptTemplate) -> tuple[str, bool]:
    r"""Return (bare action, whether the answer has the template's form); ("", False) where no action is found.

    The boxed form takes the last ``\boxed{…}`` that is closed, the bare one the first line with anything on it, which
    must be the only one. Brackets around the action, as ``[4]``, are taken off. It raises nothing, whatever the text.
    """
    if template.form == BOXED:
        action = _bare(_last_box(text))
        return action, bool(action)
    lines = text.strip().splitlines()
    action = _bare(lines[0]) if lines else ""
    return action, bool(action) and len(lines) == 1


def _last_box(text: str) -> str:
    """Return what is in the box that was opened last of those that are closed; braces inside it are balanced."""
    opened: list[tuple[int, bool]] = []
    begin, end = 0, 0
    for mark in _MARK.finditer(text):
        if mark[0] != "}":
            opened.append((mark.end(), mark[0] != "{"))
        elif opened:
            inside, boxed = opened.pop()
            if boxed and inside > begin:
                begin, end = inside, mark.start()
    return text[begin:end]


def _bare(text: str) -> str:
    """Return the action without space, LaTeX's words for upright text, and brackets around all of it."""
    text = text.strip()
    while match := (_WORDS.fullmatch(text) or _WRAPPED.fullmatch(text)):
        text = next(group for group in match.groups() if group is not None).strip()
    return text
