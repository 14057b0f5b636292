"""The global random number generators of Python, numpy and torch: captured and put back."""

from __future__ import annotations

import random
import sys
from typing import Any


def capture_generators() -> dict[str, Any]:
    """Return the state of every global generator in use, as a tree for ``kit.tensors``.

    numpy's and torch's are taken only where the library is loaded; CUDA's for every device, once CUDA is
    initialised.
    """
    version, internal, gauss = random.getstate()
    state: dict[str, Any] = {"python": {"version": version, "state": list(internal), "gauss": gauss}}
    if "numpy" in sys.modules:
        import numpy as np

        name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
        state["numpy"] = {"name": name, "keys": keys, "at": position, "has_gauss": has_gauss, "gauss": cached}
    if "torch" in sys.modules:
        import torch

        state["torch"] = torch.get_rng_state()
        if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            state["cuda"] = list(torch.cuda.get_rng_state_all())
    return state


def restore_generators(state: dict[str, Any]) -> None:
    """Put back what ``capture_generators`` took. Do this last: building a model draws random numbers."""
    python = state["python"]
    random.setstate((python["version"], tuple(python["state"]), python["gauss"]))
    if "numpy" in state:
        import numpy as np

        numpy = state["numpy"]
        np.random.set_state((numpy["name"], numpy["keys"], numpy["at"], numpy["has_gauss"], numpy["gauss"]))
    if "torch" in state:
        import torch

        torch.set_rng_state(state["torch"])
        if "cuda" in state and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda"])


def seed_generators(seed: int) -> None:
    """Seed every global generator that is loaded."""
    random.seed(seed)
    if "numpy" in sys.modules:
        import numpy as np

        np.random.seed(seed % 2**32)
    if "torch" in sys.modules:
        import torch

        torch.manual_seed(seed)
