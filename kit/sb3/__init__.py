"""stable-baselines3 under the harness: train, measure, keep safe, resume bit for bit."""

from kit.sb3.evaluation import Evaluation
from kit.sb3.learn import learn, load_best

__all__ = ["Evaluation", "learn", "load_best"]
