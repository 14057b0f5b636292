"""Learners: REINFORCE, A2C, and BaseLearner for one's own."""

from kit.league.learners.a2c import A2C
from kit.league.learners.base import BaseLearner
from kit.league.learners.registry import learner_class, register_learner
from kit.league.learners.reinforce import Reinforce
from kit.league.learners.settings import LearnerSettings

__all__ = ["A2C", "BaseLearner", "LearnerSettings", "Reinforce", "learner_class", "register_learner"]
