"""Scrubbing: nothing that could open an account, or a file, is left in what is printed, logged or raised."""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "***"
SHORTEST = 4
"""A shorter secret is none, and would blank out half a message."""
_SHAPES = (
    re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~\-]{6,}"),
    re.compile(r"\bKGAT_[A-Za-z0-9]{8,}"),
    re.compile(r"(?i)(\"?(?:token|key|password|secret|authorization)\"?\s*[:=]\s*\"?)[^\s\",}&]{8,}"),
)
_SIGNED = re.compile(
    r"(?i)(https?://[^\s\"'?<>)]+)\?[^\s\"'<>)]+"
    r"|(/[^\s\"'?<>)]*)\?[^\s\"'<>)]*(?:signature|credential|x-goog|x-amz|token|sig)[^\s\"'<>)]*"
)
_PASSWORD = re.compile(r"//[^\s/@\"'<>]+@")


class Scrubber:
    """Replaces known secrets, what looks like one, and the signed part of every address by ``***``."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first: one may hold another.
        known = {secret.strip() for secret in secrets}
        self._secrets = sorted((one for one in known if len(one) >= SHORTEST), key=len, reverse=True)

    @classmethod
    def none(cls) -> Scrubber:
        """Return one that changes nothing, for the one answer that is a token and goes no further."""
        return _Nothing()

    def __call__(self, text: str) -> str:
        """Return ``text`` without them."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        text = _SIGNED.sub(lambda found: f"{found[1] or found[2]}?{HIDDEN}", text)
        text = _PASSWORD.sub(f"//{HIDDEN}@", text)
        text = _SHAPES[0].sub(rf"\1 {HIDDEN}", text)
        text = _SHAPES[1].sub(HIDDEN, text)
        return _SHAPES[2].sub(rf"\1{HIDDEN}", text)


class _Nothing(Scrubber):
    def __call__(self, text: str) -> str:
        return text
