"""Self-play: language models that learn games against themselves, one file per box of the league's diagram.

What is offered here is imported when it is asked for: most of it needs torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kit.league.collector import Collector, Workers
    from kit.league.env_specs import EvalEnvSpec, TrainEnvSpec
    from kit.league.episode_buffer import EpisodeBuffer
    from kit.league.game_scheduler import GameScheduler
    from kit.league.league import League, LeagueParts, LeagueSettings
    from kit.league.learners import A2C, BaseLearner, LearnerSettings, Reinforce, register_learner
    from kit.league.model_registry import ModelRegistry
    from kit.league.player_recipe import PlayerRecipe, tiny_player
    from kit.league.prompt_templates import PromptTemplate, register_template
    from kit.league.runtime import build
    from kit.league.step_buffer import StepBuffer
    from kit.league.terminal_interface import TerminalInterface
    from kit.league.tracker import Tracker
    from kit.league.under_session import learn

_WHERE = {
    "A2C": "learners",
    "BaseLearner": "learners",
    "Collector": "collector",
    "EpisodeBuffer": "episode_buffer",
    "EvalEnvSpec": "env_specs",
    "GameScheduler": "game_scheduler",
    "League": "league",
    "LeagueParts": "league",
    "LeagueSettings": "league",
    "LearnerSettings": "learners",
    "ModelRegistry": "model_registry",
    "PlayerRecipe": "player_recipe",
    "PromptTemplate": "prompt_templates",
    "Reinforce": "learners",
    "StepBuffer": "step_buffer",
    "TerminalInterface": "terminal_interface",
    "Tracker": "tracker",
    "TrainEnvSpec": "env_specs",
    "Workers": "collector",
    "build": "runtime",
    "learn": "under_session",
    "register_learner": "learners",
    "register_template": "prompt_templates",
    "tiny_player": "player_recipe",
}
__all__ = [
    "A2C",
    "BaseLearner",
    "Collector",
    "EpisodeBuffer",
    "EvalEnvSpec",
    "GameScheduler",
    "League",
    "LeagueParts",
    "LeagueSettings",
    "LearnerSettings",
    "ModelRegistry",
    "PlayerRecipe",
    "PromptTemplate",
    "Reinforce",
    "StepBuffer",
    "TerminalInterface",
    "Tracker",
    "TrainEnvSpec",
    "Workers",
    "build",
    "learn",
    "register_learner",
    "register_template",
    "tiny_player",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is asked for."""
    if name in _WHERE:
        return getattr(importlib.import_module(f"kit.league.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
