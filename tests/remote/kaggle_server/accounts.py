"""Who may call: one account with a token and a legacy key, and the environments that hold right and wrong ones."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Literal

from tests.remote.kaggle_server.answers import ApiError

Credentials = Literal[
    "token",
    "token file",
    "key",
    "key file",
    "none",
    "wrong token",
    "expired token",
    "revoked token",
    "wrong key",
]
# What of the caller's own environment would lead the CLI elsewhere.
_FOREIGN = ("KAGGLE_", "XDG_CONFIG_HOME", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class Account:
    """The one user of the server, and what the server makes of what a caller shows it."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.token = "KGAT_" + "0123456789abcdef" * 2
        self.expired_token = "KGAT_" + "e" * 32
        self.revoked_token = "KGAT_" + "d" * 32
        self.key = "fedcba9876543210" * 2

    def introspect(self, token: object) -> dict[str, object]:
        """Answer IntrospectToken: an expired token is inactive, an unknown one not found.

        A revoked token still passes here, and fails with the first call that needs it.
        """
        if token in (self.token, self.revoked_token):
            return {"active": True, "username": self.user, "userId": 1234567}
        if token == self.expired_token:
            return {"active": False}
        raise ApiError(404, "Token not found")

    def user_of(self, authorization: str | None) -> str:
        """Return who sent this header.

        Raises:
            ApiError: 401 where nobody is known by it.
        """
        scheme, _, value = (authorization or "").partition(" ")
        if scheme == "Bearer" and value == self.token:
            return self.user
        if scheme == "Basic" and base64.b64decode(value).decode() == f"{self.user}:{self.key}":
            return self.user
        raise ApiError(401, "Unauthenticated")

    def secrets(self) -> list[str]:
        """Return everything that must never be printed or logged."""
        return [self.token, self.expired_token, self.revoked_token, self.key]

    def environ(self, home: Path, credentials: Credentials, proxy: str) -> dict[str, str]:
        """Return an environment in which the unmodified CLI calls ``proxy`` with these credentials.

        ``home`` becomes HOME, and TMPDIR lies in it: the CLI keeps the state of interrupted uploads there.
        """
        own = {name: value for name, value in os.environ.items() if not name.upper().startswith(_FOREIGN)}
        scratch = home / "tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        own |= {"HOME": str(home), "TMPDIR": str(scratch), "KAGGLE_API_ENVIRONMENT": "LOCALHOST"}
        own |= dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), proxy)
        return own | self._shown(home / ".kaggle", credentials)

    def _shown(self, folder: Path, credentials: Credentials) -> dict[str, str]:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in ("access_token", "kaggle.json"):
            (folder / stale).unlink(missing_ok=True)
        match credentials:
            case "token" | "wrong token" | "expired token" | "revoked token":
                known = {"token": self.token, "expired token": self.expired_token}
                known |= {"revoked token": self.revoked_token}
                return {"KAGGLE_API_TOKEN": known.get(credentials, "KGAT_" + "f" * 32)}
            case "key" | "wrong key":
                key = self.key if credentials == "key" else "f" * 32
                return {"KAGGLE_USERNAME": self.user, "KAGGLE_KEY": key}
            case "token file":
                _private(folder / "access_token", self.token)
            case "key file":
                _private(folder / "kaggle.json", json.dumps({"username": self.user, "key": self.key}))
        return {}


def _private(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
