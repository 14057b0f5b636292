"""TextArena as a library: imported when a game of it is asked for, and its environments built by id.

An id has a stem and may end in ``-train`` or ``-raw``, which says how TextArena would show the game. Here all of
them are played alike: shown as ``-train`` shows them, which drops what opponents wrote beside their moves.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

from kit.errors import MissingDependencyError, UsageError
from kit.league.games.private_random import PrivateRandom

SUFFIXES = ("-train", "-raw")
MOST_SHOWN = 200
"""Characters of a library's own error."""


def stem(env_id: str) -> str:
    """Return the id without its ``-train`` or ``-raw``."""
    for suffix in SUFFIXES:
        env_id = env_id.removesuffix(suffix)
    return env_id


@cache
def textarena() -> Any:
    """Return the module; importing it changes neither the warning filters nor a random generator.

    Raises:
        MissingDependencyError: it, or a library that it imports, is not installed.
    """
    try:
        with warnings.catch_warnings(), PrivateRandom(0).lent():
            warnings.simplefilter("ignore")
            return importlib.import_module("textarena")
    except ImportError as error:
        raise MissingDependencyError(
            f"TextArena's games need textarena and what it imports ({error}): pip install -r requirements-llm.txt"
        ) from error


def library_id(env_id: str) -> str | None:
    """Return the id that TextArena knows a game by, None where it knows none such."""
    registry = textarena().envs.registration.ENV_REGISTRY
    return next((name for name in (env_id, stem(env_id)) if name in registry), None)


def stems() -> list[str]:
    """Return TextArena's ids without their suffixes, in its order."""
    return list(dict.fromkeys(stem(name) for name in textarena().envs.registration.ENV_REGISTRY))


@dataclass(frozen=True)
class Wrapping:
    """How TextArena's ``-train`` form shows a game and reads its actions, each None where it has none.

    Attributes:
        show: class of the observation wrapper.
        read: classes of the action wrappers, the innermost first.
    """

    show: Any
    read: tuple[Any, ...]


def wrapping(env_id: str) -> Wrapping:
    """Return the wrappers of the ``-train`` form of a library's id, or of the id itself where it has no such form."""
    library = textarena()
    registry = library.envs.registration.ENV_REGISTRY
    spec = registry.get(f"{stem(env_id)}-train", registry[env_id])
    classes = spec.default_wrappers or []
    shows = [each for each in classes if issubclass(each, library.ObservationWrapper)]
    reads = tuple(each for each in classes if issubclass(each, library.ActionWrapper))
    return Wrapping(shows[-1] if shows else library.wrappers.LLMObservationWrapper, reads)


def bare_environment(env_id: str) -> Any:
    """Return a new environment of a library's id, without its wrappers.

    Raises:
        MissingDependencyError: the game needs a library, data or a Python that is not installed.
        UsageError: it needs something else that is not there, such as a key for a jury of models.
    """
    library = textarena()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            environment = library.make(env_id)
    except (ImportError, LookupError, FileNotFoundError) as error:
        words = " ".join(str(error).replace("*", " ").split())[:MOST_SHOWN]
        raise MissingDependencyError(
            f"TextArena's {env_id} needs something that is not installed: {words}"
        ) from error
    except ValueError as error:
        raise UsageError(f"TextArena's {env_id} cannot be made: {error}") from error
    except SyntaxError as error:
        version = ".".join(map(str, sys.version_info[:2]))
        raise MissingDependencyError(
            f"TextArena's {env_id} cannot be read by Python {version}: {error}"
        ) from error
    while isinstance(environment, library.Wrapper):
        environment = environment.env
    return environment


@cache
def draws_from_numpy(env_id: str) -> bool:
    """Return whether the code of a library's id has to do with NumPy, whose generator is slow to lend; few games have.

    Raises:
        MissingDependencyError: as bare_environment does.
        UsageError: as bare_environment does.
    """
    with PrivateRandom(0).lent():
        package = type(bare_environment(env_id)).__module__.rpartition(".")[0]
    modules = [module for name, module in list(sys.modules.items()) if name.startswith(f"{package}.")]
    values = [value for module in modules for value in vars(module).values()]
    names = (
        getattr(value, "__name__" if isinstance(value, ModuleType) else "__module__", None)
        for value in values
    )
    return any(str(name).partition(".")[0] == "numpy" for name in names)
