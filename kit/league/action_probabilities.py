"""How likely a model takes each action: by scoring what it would have to say, not by sampling it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import torch

from kit.errors import UsageError
from kit.league.game import View
from kit.league.prompt_templates import BARE, PromptTemplate
from kit.lm.devices import one_thread
from kit.lm.language_model import LanguageModel
from kit.lm.scoring import token_logprobs


def action_log_probabilities(
    lm: LanguageModel,
    template: PromptTemplate,
    views: Sequence[View],
    *,
    adapter: str | None = None,
    temperature: float = 1.0,
) -> list[dict[str, float]]:
    """Return for each view the logarithm of the probability of each legal action.

    An action's is that of its tokens, as the tokenizer writes them, and of the stop token behind them, at the
    ``temperature`` that games are played at. All views are scored together.

    Raises:
        UsageError: the template lets the model think first, so that no single answer stands for an action; or a game
            does not tell what is legal.
    """
    if template.form != BARE:
        raise UsageError(
            f"{template.name!r} lets a model think before it acts: its actions have no single answer."
        )
    if not all(view.legal for view in views):
        raise UsageError("A game that does not tell what is legal has no actions to be scored.")
    cases = [(place, action) for place, view in enumerate(views) for action in view.legal]
    asked = [[*chain(*lm.prompt_tokens(template.prompt(view)))] for view in views]
    prompts, stop = [asked[place] for place, _ in cases], lm.stop_token(template.stop[0])
    answers = [[*lm.tokens(template.answer(action)), stop] for _, action in cases]
    with torch.inference_mode(), one_thread(lm.device), lm.using(adapter):
        logprobs, _ = token_logprobs(lm, prompts, answers, temperature=temperature)
    found: list[dict[str, float]] = [{} for _ in views]
    for (place, action), total in zip(cases, logprobs.sum(1).tolist(), strict=True):
        found[place][action] = total
    return found
