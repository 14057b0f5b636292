"""stable-baselines3 under the harness: train, measure, keep safe, resume bit for bit."""

from kit.sb3.episode_process import EpisodeProcess
from kit.sb3.evaluation import Evaluation
from kit.sb3.learn import learn, load_best
from kit.sb3.normalisation import load_best_normalisation
from kit.sb3.probe import probe
from kit.sb3.replayable import Replayable

__all__ = [
    "EpisodeProcess",
    "Evaluation",
    "Replayable",
    "learn",
    "load_best",
    "load_best_normalisation",
    "probe",
]
