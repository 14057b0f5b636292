"""A place in a budget file: which file, which line, which figure; every error of the budget names it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kit.errors import UnknownNameError, UsageError


@dataclass(frozen=True)
class Place:
    """Where something stands. ``line`` counts from 1, 0 where there is none; ``path`` reads ``stage.field``."""

    file: str
    line: int = 0
    path: str = ""

    def __str__(self) -> str:
        line = f"line {self.line}" if self.line else ""
        return ", ".join(part for part in (self.file, line, self.path) if part)

    def below(self, name: str, line: int) -> Place:
        """Return the place of what is called ``name`` in here; stages are named without ``stages.``."""
        path = f"{self.path}.{name}" if self.path and self.path != "stages" else name
        return Place(self.file, line, path)

    def error(self, text: str, nearest: str | None = None) -> UsageError:
        """Return a UsageError that says where."""
        hint = f" Did you mean {nearest!r}?" if nearest else ""
        return UsageError(f"{self}: {text}{hint}", nearest)

    def missing(self, name: str, text: str) -> UsageError:
        """Return the error about something that is not there; ``nearest`` is its name."""
        return UsageError(f"{self}: {text}", name)

    def unknown(self, kind: str, value: str, legal: Iterable[str]) -> UsageError:
        """Return the error about a name that is not among the legal ones."""
        found = UnknownNameError(kind, value, legal)
        return UsageError(f"{self}: {found}", found.nearest)

    def wrap(self, error: UsageError) -> UsageError:
        """Return an error that was raised further in, with the place before it."""
        return UsageError(f"{self}: {error}", error.nearest)
