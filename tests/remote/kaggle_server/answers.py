"""What a call is answered with: a body and its headers, or an error as the service words it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """One HTTP answer that is held in memory whole."""

    body: bytes = b""
    code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class ApiError(Exception):
    """A call that is refused: the client gets ``{"code", "message"}`` with this HTTP code."""

    def __init__(self, code: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.headers = code, message, dict(headers or {})

    def answer(self) -> Answer:
        """Return the error as the API sends it."""
        return json_answer({"code": self.code, "message": self.message}, self.code, self.headers)


class StorageError(ApiError):
    """A refused download or upload: the storage behind the API answers in XML."""

    def __init__(self, code: int, kind: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code, message, headers)
        self.kind = kind

    def answer(self) -> Answer:
        """Return the error as the storage sends it."""
        text = (
            f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{self.kind}</Code>"
            f"<Message>{self.message}</Message></Error>"
        )
        return Answer(text.encode(), self.code, {"Content-Type": "application/xml", **self.headers})


class BalancerError(ApiError):
    """An error of what stands before the service, which knows nothing of JSON."""

    def answer(self) -> Answer:
        """Return the page."""
        text = (
            f"<html><head><title>{self.code} {self.message}</title></head><body><h1>Error</h1></body></html>"
        )
        return Answer(text.encode(), self.code, {"Content-Type": "text/html; charset=UTF-8"})


def json_answer(body: object, code: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer with a JSON body."""
    return Answer(json.dumps(body).encode(), code, {"Content-Type": "application/json", **(headers or {})})


def without_defaults(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields that say something: the service leaves out empty strings, lists and absent values."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], False)}
