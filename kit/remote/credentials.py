"""Credentials: which of Kaggle's ways to log in is set up here, looked for in the order in which its client does.

1. an access token: ``KAGGLE_API_TOKEN`` (the token, or a file that holds it), ``~/.kaggle/access_token``;
2. a legacy key: ``KAGGLE_USERNAME`` with ``KAGGLE_KEY``, or ``kaggle.json``;
3. what ``kaggle auth login`` left in ``~/.kaggle/credentials.json``.

Nothing here is ever printed: ``repr`` shows where a credential lies, and not what it is.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

HOW_TO = (
    "Make a token at kaggle.com/settings under 'API', and save it in ~/.kaggle/access_token (chmod 600) or in the "
    "variable KAGGLE_API_TOKEN; or run `kaggle auth login`."
)


@dataclass(frozen=True)
class Credentials:
    """What was found: of which ``kind``, in which ``source``, and the user's name where it is known without asking.

    ``kind``: token (Bearer), key (Basic), login (the client alone can use it) or none.
    """

    kind: Literal["token", "key", "login", "none"]
    source: str = ""
    username: str = ""
    secret: str = field(default="", repr=False)

    def authorization(self) -> str:
        """Return the value of an Authorization header, empty where there is none to be had."""
        if self.kind == "key":
            pair = f"{self.username}:{self.secret}".encode()
            return "Basic " + base64.b64encode(pair).decode()
        return f"Bearer {self.secret}" if self.kind == "token" else ""

    def secrets(self) -> list[str]:
        """Return everything that must never be shown."""
        return [self.secret, self.authorization().partition(" ")[2]]

    def refused(self) -> str:
        """Say that Kaggle knows nobody by them, which ones these are, and what to do."""
        if self.kind == "none":
            return f"There are no Kaggle credentials here. {HOW_TO}"
        what = {"token": "access token", "key": "user name and key", "login": "login"}[self.kind]
        return f"Kaggle refused the {what} in {self.source}: wrong, revoked or expired. {HOW_TO}"


def find_credentials(environ: Mapping[str, str]) -> Credentials:
    """Return the credentials that the client would use with this environment; of kind "none" where there are none."""
    home = Path(environ.get("HOME") or Path.home()) / ".kaggle"
    return _token(environ, home) or _key(environ, home) or _login(home) or Credentials("none")


def _token(environ: Mapping[str, str], home: Path) -> Credentials | None:
    given = environ.get("KAGGLE_API_TOKEN", "")
    if given:
        text = _text(Path(given)) if _is_file(given) else given
        return Credentials("token", "the variable KAGGLE_API_TOKEN", secret=text.strip())
    for name in ("access_token", "access_token.txt"):
        text = _text(home / name).strip()
        if text:
            return Credentials("token", f"~/.kaggle/{name}", secret=text)
    return None


def _key(environ: Mapping[str, str], home: Path) -> Credentials | None:
    user, key = environ.get("KAGGLE_USERNAME", ""), environ.get("KAGGLE_KEY", "")
    if user and key:
        return Credentials("key", "the variables KAGGLE_USERNAME and KAGGLE_KEY", user, key)
    folder = environ.get("KAGGLE_CONFIG_DIR", "")
    places = [Path(folder)] if folder else [home, home.parent / ".config" / "kaggle"]
    for place in places:
        facts = _object(place / "kaggle.json")
        if facts.get("username") and facts.get("key"):
            return Credentials("key", "kaggle.json", str(facts["username"]), str(facts["key"]))
    return None


def _login(home: Path) -> Credentials | None:
    facts = _object(home / "credentials.json")
    if not facts:
        return None
    return Credentials("login", "~/.kaggle/credentials.json", str(facts.get("username", "")))


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # a token that is no possible name
        return False


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""


def _object(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(_text(path) or "{}")
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
