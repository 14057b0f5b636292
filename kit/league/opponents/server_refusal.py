"""What a server says when it refuses: in words, and how long it asks to wait."""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
from email.utils import parsedate_to_datetime
from typing import Any


def retry_after(headers: Any) -> float | None:
    """Return the seconds of a Retry-After header, which may be a date; None where there is none.

    A date is held against the server's own clock.
    """
    text = str(headers.get("Retry-After", "") if headers is not None else "").strip()
    if re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", text):
        return float(text)
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(str(headers.get("Date", "")))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError, AttributeError):
        return None


def told_by(error: urllib.error.HTTPError) -> str:
    """Return what the server says about its refusal; it says so in one of several ways, or not at all."""
    try:
        told = json.loads(error.read(10_000))
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return str(error.reason or "")
    inner = told.get("error", told) if isinstance(told, dict) else told
    message = inner.get("message", "") if isinstance(inner, dict) else inner
    return str(message)
