"""What the command line hands to the session in the kernel it launches, by environment variables."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

LAUNCHED = "KIT_LAUNCHED"
PARAMETERS = "KIT_PARAMETERS"
OPTIONS = "KIT_OPTIONS"
BEGAN = "KIT_BEGAN"


def handed_over(
    launched_s: float, parameters: Mapping[str, Any], options: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Return the variables: the launch (absolute monotonic seconds), the notebook parameters and session options set.

    ``options`` reach every session, whether its notebook has a parameter for them or not; JSON values,
    ``cadence`` as a dict of those of its fields that are given.
    """
    return {
        LAUNCHED: repr(launched_s),
        PARAMETERS: json.dumps(dict(parameters)),
        OPTIONS: json.dumps(dict(options or {})),
    }


def launched_at() -> float | None:
    """Return when the command was launched, absolute monotonic seconds; None where no command line did."""
    text = os.environ.get(LAUNCHED)
    return float(text) if text else None


def began_at() -> float | None:
    """Return when the machine was given to this session, absolute monotonic seconds; None where nobody said.

    A pushed notebook says it: its limits count from the creation of process 1, and no command launched it. A
    rehearsal, whose process 1 may be older, says its own start.
    """
    text = os.environ.get(BEGAN)
    return float(text) if text else None


def given_parameters() -> dict[str, Any] | None:
    """Return the notebook parameters that the command line set; None where there was no command line."""
    text = os.environ.get(PARAMETERS)
    return dict(json.loads(text)) if text else None


def given_options() -> dict[str, Any]:
    """Return the session options that the command line handed over beside the notebook's own; often none."""
    return dict(json.loads(os.environ.get(OPTIONS, "{}")))
