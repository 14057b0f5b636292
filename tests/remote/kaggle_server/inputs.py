"""What a session finds under /kaggle/input: its sources, resolved to folders when it is pushed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from tests.remote.kaggle_server.policy import Policy

Lookup = Callable[[str, str, str], Path | None]
"""Returns the folder of owner, slug and version ("" for the newest), None where there is none to mount."""


class Inputs:
    """Folders by mount name, and the sources for which there was none."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.folders: dict[str, Path] = {}

    def add(self, kind: str, sources: Iterable[str], lookup: Lookup) -> list[str]:
        """Resolve sources of one kind (``datasets``, ``notebooks``) and return those that are not valid.

        An invalid source stops no push: the session starts without it.
        """
        invalid = []
        for source in sources:
            owner, _, rest = source.partition("/")
            slug, _, version = rest.partition("/")
            folder = lookup(owner, slug, version)
            if folder is None:
                invalid.append(source)
            else:
                self.folders[self._mount(kind, owner, slug)] = folder
        return invalid

    def _mount(self, kind: str, owner: str, slug: str) -> str:
        return f"{kind}/{owner}/{slug}" if self._policy.owner_in_mounts else slug
