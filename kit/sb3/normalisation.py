"""The statistics of VecNormalize beside the best model, without which its weights mean nothing."""

from __future__ import annotations

from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, VecNormalize

from kit.harness.best import best_file, best_sums
from kit.sb3.wrapper_state import plain, put_back
from kit.session import TrainingSession
from kit.tensors import decode, encode

PREFIX = "normalisation-"
STATISTICS = ("obs_rms", "ret_rms")


def normalisation_files(env: VecEnv | None) -> dict[str, bytes]:
    """Return the files that hold the running statistics of the VecNormalize around ``env``; none without one."""
    found = _normalising(env)
    if found is None:
        return {}
    statistics = {name: plain(getattr(found, name)) for name in STATISTICS if hasattr(found, name)}
    return {PREFIX + name: content for name, content in encode(statistics).items()}


def load_best_normalisation(session: TrainingSession, env: VecEnv) -> bool:
    """Give the VecNormalize around ``env`` the statistics that the best model was evaluated with.

    For an environment to evaluate in, not the one that trains; set its ``training`` to False. Returns False,
    changing nothing, where ``env`` has no VecNormalize or the best model was kept without.

    Raises:
        IntegrityError: a file is not the one that was written.
    """
    found = _normalising(env)
    folder = session.folder.best
    files = {
        name.removeprefix(PREFIX): best_file(folder, name, digest)
        for name, digest in best_sums(folder).items()
        if name.startswith(PREFIX)
    }
    if found is None or not files:
        return False
    for name, value in decode(files).items():
        setattr(found, name, put_back(getattr(found, name, None), value))
    return True


def _normalising(env: VecEnv | None) -> VecNormalize | None:
    """Return the outermost VecNormalize around ``env``."""
    while isinstance(env, VecEnvWrapper):
        if isinstance(env, VecNormalize):
            return env
        env = env.venv
    return None
