"""A LoRA adapter on disk: ``adapter_config.json`` and ``adapter_model.safetensors``, as peft and vLLM read them.

The same adapter gives the same bytes: nothing in the files depends on where, when or by which release they were
written. A folder is written beside its place and renamed, so that it is there whole or not at all.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors

from kit.errors import IntegrityError, StorageError, UsageError, nearest_match

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PLAIN: Mapping[str, Any] = {
    "use_dora": False,
    "use_rslora": False,
    "bias": "none",
    "rank_pattern": {},
    "alpha_pattern": {},
    "modules_to_save": None,
    "layers_to_transform": None,
}
"""What makes an adapter plain LoRA; a folder of somebody else's that says otherwise is refused."""


@contextlib.contextmanager
def committed_folder(final: Path) -> Iterator[Path]:
    """Give a new folder to fill, which becomes ``final`` when the block is left without an exception.

    What stood there is moved aside first and removed afterwards. The temporaries bear the names that the kit gives
    its temporaries everywhere (``.NAME.PID.TOKEN.tmp`` and ``.old``), so the sweep of a run folder clears what a
    killed process left, and puts back what it had moved aside.

    Raises:
        StorageError: writing failed; names the folder, and what was there before is intact.
    """
    stem = f".{final.name}.{os.getpid()}.{secrets.token_hex(4)}"
    temporary, aside = final.with_name(f"{stem}.tmp"), final.with_name(f"{stem}.old")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        _sync(temporary)
        _put_in_place(temporary, final, aside)
        _sync_folder(final.parent)
    except OSError as error:
        text = f"Cannot write {final}: {error.strerror or error}. What was there before is intact."
        raise StorageError(error.errno, text) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(aside, ignore_errors=True)


def _put_in_place(temporary: Path, final: Path, aside: Path) -> None:
    if final.exists():
        final.rename(aside)
    try:
        temporary.rename(final)
    except OSError:
        if aside.exists():
            aside.rename(final)
        raise


def _sync(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some network and user-space file systems (a mounted Drive) sync no folders at all.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_adapter(folder: Path, config: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> None:
    """Write an adapter to ``folder``, replacing what is there; ``config`` holds r, lora_alpha and so on.

    Raises:
        StorageError: writing failed.
    """
    kept = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "inference_mode": True, **PLAIN, **config}
    plain = {name: weights[name].detach().cpu().contiguous() for name in sorted(weights)}
    with committed_folder(folder) as temporary:
        (temporary / CONFIG).write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
        (temporary / WEIGHTS).write_bytes(save_safetensors(plain))


def read_adapter(folder: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return (config, weights by name) of the adapter in ``folder``.

    Raises:
        UsageError: there is none, or it is no plain LoRA.
        IntegrityError: its files are damaged.
    """
    if not folder.is_dir():
        raise missing_folder("adapter", folder)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise UsageError(f"{folder} holds no adapter: {name} is not there.")
    try:
        config = json.loads((folder / CONFIG).read_text())
        weights = load_safetensors((folder / WEIGHTS).read_bytes())
    except (SafetensorError, ValueError) as error:
        raise IntegrityError(f"The adapter in {folder} is damaged: {error}.", [str(folder)]) from error
    _check_plain(folder, config)
    return config, weights


def _check_plain(folder: Path, config: Any) -> None:
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        raise UsageError(f"The adapter in {folder} is no LoRA adapter.")
    odd = sorted(name for name, value in PLAIN.items() if (config.get(name) or value) != value)
    if odd or not isinstance(config.get("target_modules"), list):
        named = ", ".join(odd) or "target_modules"
        raise UsageError(f"The adapter in {folder} is no plain LoRA: this kit does not know its {named}.")


def missing_folder(kind: str, folder: Path) -> UsageError:
    """Return the error for a folder that is not there, with the nearest name beside it."""
    beside = sorted(path.name for path in folder.parent.iterdir()) if folder.parent.is_dir() else []
    nearest = nearest_match(folder.name, beside)
    near = str(folder.with_name(nearest)) if nearest else None
    hint = f" Did you mean {near}?" if near else ""
    return UsageError(f"There is no {kind} at {folder}.{hint}", near)
