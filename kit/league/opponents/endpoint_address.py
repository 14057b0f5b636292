"""EndpointAddress: the base URL of an OpenAI-compatible chat endpoint, and where its key comes from."""

from __future__ import annotations

import ipaddress
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from kit.errors import UsageError

DEFAULT_BASE_URL = "https://openrouter.ai/api/v1"
KEY_VARIABLES = {"openrouter.ai": "OPENROUTER_API_KEY"}
OTHER_KEY_VARIABLE = "OPENAI_API_KEY"
"""A key goes only to whom it was made for: OpenRouter's to OpenRouter, and the other one elsewhere."""


@dataclass(frozen=True)
class EndpointAddress:
    """A base URL such as ``https://openrouter.ai/api/v1`` or ``http://localhost:8000/v1``."""

    base_url: str

    @classmethod
    def read(cls, url: str) -> EndpointAddress:
        """Return the address of ``url``; a ``/chat/completions`` at its end is left out.

        Raises:
            UsageError: it is no address of the web, or holds a password, which would end up in files and messages.
        """
        try:
            parts = urllib.parse.urlsplit(url.strip())
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise UsageError(
                f"{url!r} is no base URL. It begins with http:// or https://, such as {DEFAULT_BASE_URL}."
            )
        if parts.username is not None or parts.password is not None:
            raise UsageError(
                f"The base URL on {parts.hostname} holds a name or a password; a key is read from the environment."
            )
        if parts.query or parts.fragment:
            raise UsageError(
                f"The base URL on {parts.hostname} ends in a query; it is an address and a path only."
            )
        path = parts.path.rstrip("/").removesuffix("/chat/completions").rstrip("/")
        return cls(f"{parts.scheme}://{parts.netloc}{path}")

    @property
    def host(self) -> str:
        """The name or number of the machine."""
        return urllib.parse.urlsplit(self.base_url).hostname or ""

    @property
    def is_here(self) -> bool:
        """Whether that is this machine, which no proxy leads to."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def key_variable(self) -> str:
        """The environment variable that its key is read from."""
        found = (
            name
            for host, name in KEY_VARIABLES.items()
            if self.host == host or self.host.endswith(f".{host}")
        )
        return next(found, OTHER_KEY_VARIABLE)

    def key(self, environ: Mapping[str, str]) -> str:
        """Return the key; nothing where there is none, which is how most servers of one's own are asked.

        Raises:
            UsageError: what is there cannot be sent in a header; the message does not show it.
        """
        key = environ.get(self.key_variable, "").strip()
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise UsageError(f"{self.key_variable} holds blanks or other characters that no key has.")
        return key
