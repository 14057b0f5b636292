"""Listings in pages, with tokens that mean nothing to the caller."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from tests.remote.kaggle_server.answers import ApiError

Item = TypeVar("Item")
LARGEST = 200
_LEAD = "CfDJ8"


def first_token() -> str:
    """Return a token that leads to the first page."""
    return _token(0)


def page(items: Sequence[Item], size: object, token: object) -> tuple[list[Item], str]:
    """Return a page and the token of the next one, empty after the last.

    Args:
        items: Everything there is to list.
        size: How many a page has; 20 where nothing is said, at most 200.
        token: The token of this page, empty for the first.

    Raises:
        ApiError: 400 for a token that was not given out.
    """
    length = min(int(str(size or 20)), LARGEST)
    try:
        start = int(base64.urlsafe_b64decode(str(token).removeprefix(_LEAD))) if token else 0
    except (ValueError, binascii.Error):
        raise ApiError(400, "Invalid page token") from None
    end = start + length
    more = _token(end) if end < len(items) else ""
    return list(items[start:end]), more


def _token(start: int) -> str:
    return _LEAD + base64.urlsafe_b64encode(str(start).encode()).decode()
