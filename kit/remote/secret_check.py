"""No secret travels: a notebook that is pushed can be read by whoever may read the kernel, and so can its log.

Looked at are the values of the parameters, by their names and by what they look like, and the code of the notebook, for
what can be nothing but a token. Not covered: a secret that looks like any other text under a name that says nothing.
The value itself is in no message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kit.errors import UsageError

NAMES = re.compile(
    r"(^|_)(token|secret|passwords?|passwd|passphrase|credentials?|apikey|api_key|key|auth)($|_)",
    re.IGNORECASE,
)
"""Parameters of such a name hold a secret where they hold text."""
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
_SO = "Nothing was built. On Kaggle keep it in the notebook's Secrets, and read it there with kaggle_secrets."


def refuse_secrets(values: Mapping[str, Any], sources: Iterable[str] = ()) -> None:
    """Raise UsageError where a parameter's value, or the code of a cell, is or holds a secret.

    Args:
        values: All parameters with the values that the pushed notebook has.
        sources: The code of its cells.
    """
    for name, value in values.items():
        texts = list(_texts(value))
        if NAMES.search(name) and any(texts):
            raise UsageError(f"Parameter {name!r} is a secret by its name, and it has a value. {_SO}")
        for text in texts:
            kind = _kind_of(text) or ("a Kaggle key" if _KAGGLE_KEY.fullmatch(text) else None)
            if kind:
                raise UsageError(f"The value of parameter {name!r} looks like {kind}. {_SO}")
    for number, source in enumerate(sources):
        if kind := _kind_of(source):
            raise UsageError(f"Code cell {number} holds what looks like {kind}. {_SO}")


def _kind_of(text: str) -> str | None:
    return next((kind for kind, pattern in TOKENS.items() if re.search(pattern, text)), None)


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
            if NAMES.search(key) and any(inner):
                raise UsageError(f"The entry {key!r} of a parameter is a secret by its name. {_SO}")
            yield from inner
