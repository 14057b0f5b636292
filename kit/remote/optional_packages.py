"""Packages that the kit imports only for some values of a parameter: the simulator behind two of its scenarios.

They stand in the kit's sources, so every notebook that can load a scenario seems to need them. Whether one does is read
from its parameters and its cells, whatever the notebook is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class OptionalPackages:
    """Packages, and what asks for them.

    Attributes:
        parameter: of a notebook; with one of …
        values: … these values it needs them. In a notebook without that parameter one in its cells does.
        modules: modules of the kit that need them; the names of others begin so.
        packages: what they are, as registries call them.
    """

    parameter: str
    values: tuple[str, ...]
    modules: str
    packages: tuple[str, ...]

    def needed(self, values: Mapping[str, Any], imported: Iterable[str], texts: Iterable[str]) -> bool:
        """Whether a notebook needs them, by its parameters, by what its cells import and by the texts in them."""
        named = {values[self.parameter]} if self.parameter in values else {*texts}
        return not named.isdisjoint(self.values) or any(one.startswith(self.modules) for one in imported)


SUMO = OptionalPackages(
    "scenario",
    ("cologne1", "ingolstadt1"),
    "kit.traffic.sumo_",
    ("eclipse-sumo", "libsumo", "sumo-rl", "sumolib", "traci"),
)
EVERY = (SUMO,)


def optional_and_needed(
    values: Mapping[str, Any], imported: Iterable[str], texts: Iterable[str]
) -> tuple[set[str], set[str]]:
    """Return the packages that a notebook can do without, and those that it needs, of all that are optional."""
    imported, texts = list(imported), list(texts)
    needed: set[str] = set()
    for one in EVERY:
        needed |= set(one.packages) if one.needed(values, imported, texts) else set()
    return {name for one in EVERY for name in one.packages} - needed, needed
