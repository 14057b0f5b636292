"""No secret travels: a notebook that is pushed can be read by whoever may read the kernel, and so can its log.

Looked at are the values of the parameters, by their names and by what they look like, and the cells of the notebook and
the files that go with it, for what can be nothing but a token. Not covered: a secret that looks like any other text
under a name that says nothing, and a password that stands in the code. The value itself is in no message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from kit.errors import UsageError

WORDS = re.compile(
    r"[a-z0-9]*(token|secret|passwords?|passwd|pwd|passphrase|credentials?|key)|auth", re.IGNORECASE
)
"""A parameter one of whose words is such a one, or ends so, holds a secret where it holds text."""
NO_KEYS = frozenset({"donkey", "hockey", "hotkey", "jockey", "monkey", "turkey", "whiskey"})
FILES = re.compile(
    r"\.env(\..+)?|[._]netrc|kaggle\.json|access_token|\.pypirc|\.git-credentials|credentials(\..+)?"
    r"|id_(rsa|dsa|ecdsa|ed25519)|.+\.(pem|key|p12|pfx)",
    re.IGNORECASE,
)
"""Files of such a name are there to hold secrets."""
TOKENS = {
    "a Kaggle token": r"KGAT_[A-Za-z0-9]{16,}",
    "a Hugging Face token": r"\bhf_[A-Za-z0-9]{20,}",
    "an AWS access key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "an OpenAI key": r"\bsk-[A-Za-z0-9_\-]{20,}",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
    "a Slack token": r"\bxox[abprs]-[A-Za-z0-9\-]{10,}",
    "a Google key": r"\bAIza[A-Za-z0-9_\-]{30,}",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a password in an address": r"\b[a-z][a-z0-9+.\-]*://[^/\s:@]+:[^/\s:@]+@",
}
"""What a token looks like wherever it stands."""
_KAGGLE_KEY = re.compile(r"[0-9a-f]{32}")
_KEY_NEAR = re.compile(r"key\w*\W{1,10}(?:[0-9a-f]{32}|[0-9a-f]{40})(?![0-9a-z])", re.IGNORECASE)
"""As much of the hexadecimal as a Kaggle key has, or one of Weights & Biases, behind a name that says so."""
_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")
_SO = "Nothing was built. On Kaggle keep it in the notebook's Secrets, and read it there with kaggle_secrets."


def refuse_secrets(values: Mapping[str, Any], sources: Iterable[str] = ()) -> None:
    """Raise UsageError where a parameter's value, or the code of a cell, is or holds a secret.

    Args:
        values: All parameters with the values that the pushed notebook has.
        sources: Its cells.
    """
    for name, value in values.items():
        texts = list(_texts(value))
        if _is_a_secrets(name) and any(texts):
            raise UsageError(f"Parameter {name!r} is a secret by its name, and it has a value. {_SO}")
        for text in texts:
            kind = _kind_of(text) or ("a Kaggle key" if _KAGGLE_KEY.fullmatch(text) else None)
            if kind:
                raise UsageError(f"The value of parameter {name!r} looks like {kind}. {_SO}")
    for number, source in enumerate(sources):
        if kind := _kind_of(source):
            raise UsageError(f"Cell {number} holds what looks like {kind}. {_SO}")


def refuse_secret_files(files: Mapping[str, Path]) -> None:
    """Raise UsageError where a file that is to travel is one for secrets by its name, or holds a token.

    Args:
        files: By the name that they travel under.
    """
    for name, path in files.items():
        if FILES.fullmatch(PurePosixPath(name).name):
            raise UsageError(f"The file {name!r} is one for secrets by its name. {_SO}")
        if kind := _kind_of(path.read_bytes().decode(errors="replace")):
            raise UsageError(f"The file {name!r} holds what looks like {kind}. {_SO}")


def _is_a_secrets(name: str) -> bool:
    words = (word.lower() for word in _WORD_ENDS.split(name))
    return any(WORDS.fullmatch(word) and word not in NO_KEYS for word in words)


def _kind_of(text: str) -> str | None:
    found = next((kind for kind, pattern in TOKENS.items() if re.search(pattern, text)), None)
    return found or ("a key" if _KEY_NEAR.search(text) else None)


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a value, also in lists and dicts; refuse an entry of a dict by its name."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            inner = list(_texts(item))
            if _is_a_secrets(key) and any(inner):
                raise UsageError(f"The entry {key!r} of a parameter is a secret by its name. {_SO}")
            yield from inner
