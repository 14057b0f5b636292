"""The statistics of VecNormalize beside the best model, without which its weights mean nothing."""

from __future__ import annotations

import hashlib

from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, VecNormalize

from kit.errors import IntegrityError
from kit.harness.summary import read_json
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
    beside = read_json(session.folder.best / "best.json").get("beside", {})
    files = {}
    for name in (name for name in beside if name.startswith(PREFIX)):
        files[name.removeprefix(PREFIX)] = content = (session.folder.best / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != beside[name]:
            raise IntegrityError(f"{session.folder.best / name} does not match best.json.", [name])
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
