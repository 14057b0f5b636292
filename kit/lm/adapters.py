"""The LoRA adapters of one model: added, swapped while it runs, loaded, saved, merged. The layers are peft's.

Which adapter is active and which parameters learn are two things: switching never changes what learns, so that a policy
and a critic on the same backbone can both be trained while opponents' adapters come and go.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kit.errors import UnknownNameError, UsageError
from kit.lm.adapter_folder import read_adapter, write_adapter
from kit.lm.devices import seeded
from kit.lm.libraries import library
from kit.lm.lora import LoraSettings

SAVED_PREFIX = "base_model.model."
"""What peft puts before a layer's name in its files."""


class Adapters:
    """The adapters of ``module``, which is changed in place: its linear layers become peft's.

    Attributes:
        module: the model.
        settings: by name of adapter.
        active: which one answers now; None: the model as it was loaded.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.settings: dict[str, LoraSettings] = {}
        self.active: str | None = None
        self._tuner: Any = None

    def add(self, name: str, settings: LoraSettings, *, seed: int = 0, learns: bool = False) -> None:
        """Add a fresh adapter: A drawn from ``seed``, B zero, so that the model answers as before.

        It is not active; its parameters are float32 whatever the model's are. Where it learns, the model itself is
        frozen.

        Raises:
            UsageError: the name is taken or cannot be one, or targets match nothing.
        """
        self._check_new(name)
        settings.check(self.module)
        config = library("peft").LoraConfig(**settings.config(), bias="none", task_type="CAUSAL_LM")
        flags = self._flags()
        with seeded(seed):
            self._inject(name, config)
        self.module.train(self.module.training)  # a new module's dropout is on, whatever the model's is
        self.settings[name] = settings
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
        for parameter in self.base_parameters() if learns else ():
            parameter.requires_grad_(False)
        for _, parameter in self.parameters(name):
            parameter.data = parameter.data.float()
            parameter.requires_grad_(learns)
        self.activate(self.active)

    def _inject(self, name: str, config: Any) -> None:
        if self._tuner is None:
            self._tuner = library("peft").LoraModel(self.module, config, name)
        else:
            self._tuner.peft_config[name] = config
            self._tuner.inject_adapter(self.module, name)

    def _check_new(self, name: str) -> None:
        if name in self.settings:
            raise UsageError(f"There is an adapter {name!r} already.")
        parts = {part for key, _ in self.module.named_parameters() for part in key.split(".")}
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or name in parts:
            raise UsageError(
                f"{name!r} cannot name an adapter: letters, digits, _ and - can, no layer's name."
            )

    def _check_there(self, name: str) -> None:
        if name not in self.settings:
            raise UnknownNameError("adapter", name, self.settings)

    def parameters(self, name: str) -> list[tuple[str, nn.Parameter]]:
        """Return (name in the files, parameter) of an adapter, in the order of the layers."""
        self._check_there(name)
        mine, learned = f".{name}.", re.compile(r"\.lora_[AB]\.")
        return [
            (SAVED_PREFIX + key.replace(mine, "."), parameter)
            for key, parameter in self.module.named_parameters()
            if mine in key and learned.search(key)
        ]

    def base_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the model itself."""
        return [parameter for key, parameter in self.module.named_parameters() if ".lora_" not in key]

    def remove(self, name: str) -> None:
        """Take an adapter away; when it was active, the model answers as it was loaded."""
        self._check_there(name)
        if self.active == name:
            self.activate(None)
        flags = self._flags()
        others = [other for other in self.settings if other != name]
        if others:  # peft would choose another one for itself, and warn
            self._tuner.set_adapter(others[0])
        self._tuner.delete_adapter(name)
        del self.settings[name]
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
        self.activate(self.active)

    @contextlib.contextmanager
    def using(self, name: str | None) -> Iterator[None]:
        """Let an adapter answer in the block (None: the model as it was loaded), then the one before again."""
        if name is not None:
            self._check_there(name)
        before = self.active
        self.activate(name)
        try:
            yield
        finally:
            self.activate(before if before in self.settings else None)

    def activate(self, name: str | None) -> None:
        """Let an adapter answer from now on; None: the model as it was loaded."""
        self.active = name
        if self._tuner is None or self._stands(name):
            return
        flags = self._flags()
        if name is None:
            self._tuner.disable_adapter_layers()
        else:
            self._tuner.set_adapter(name)
            self._tuner.enable_adapter_layers()
        for parameter, flag in flags:
            parameter.requires_grad_(flag)

    def _stands(self, name: str | None) -> bool:
        """Whether every layer answers by that adapter already."""
        layers = [layer for layer in self.module.modules() if hasattr(layer, "lora_A")]
        if name is None:
            return all(layer.disable_adapters for layer in layers)
        return all(layer.active_adapters == [name] and not layer.disable_adapters for layer in layers)

    def _flags(self) -> list[tuple[nn.Parameter, bool]]:
        """Return which parameters learn: peft changes that whenever it switches."""
        return [(parameter, parameter.requires_grad) for parameter in self.module.parameters()]

    def save(self, folder: Path, name: str, base: str) -> None:
        """Write an adapter to ``folder``, which is there whole or not at all; ``base`` names the model.

        Raises:
            StorageError: writing failed.
        """
        self._check_there(name)
        config = self.settings[name].config() | {"base_model_name_or_path": base}
        write_adapter(folder, config, dict(self.parameters(name)))

    def load(self, folder: Path, name: str, *, learns: bool = False) -> None:
        """Add the adapter in ``folder`` under ``name``, in place of one of that name; it is not active.

        Raises:
            UsageError: there is none, it is no plain LoRA, or it does not fit this model.
            IntegrityError: its files are damaged.
        """
        config, weights = read_adapter(folder)
        active = self.active
        if name in self.settings:
            self.remove(name)
        self.add(name, LoraSettings.of(config), learns=learns)
        try:
            self._fill(folder, name, weights)
        except UsageError:
            self.remove(name)
            raise
        self.activate(active)

    def _fill(self, folder: Path, name: str, weights: dict[str, torch.Tensor]) -> None:
        parameters = dict(self.parameters(name))
        shapes = {key: tuple(parameter.shape) for key, parameter in parameters.items()}
        theirs = {key: tuple(tensor.shape) for key, tensor in weights.items()}
        if shapes != theirs:
            odd = sorted(key for key in shapes.keys() | theirs.keys() if shapes.get(key) != theirs.get(key))[
                0
            ]
            raise UsageError(
                f"The adapter in {folder} does not fit this model: {odd} is {theirs.get(odd, 'not there')}, "
                f"here {shapes.get(odd, 'not there')}."
            )
        with torch.no_grad():
            for key, parameter in parameters.items():
                parameter.copy_(weights[key])

    def merge(self, name: str) -> nn.Module:
        """Add an adapter into the model's own weights, drop all of them, and return the plain model."""
        self._check_there(name)
        module: nn.Module = self._tuner.merge_and_unload(adapter_names=[name])
        self.settings, self.active, self._tuner = {}, None, None
        return module
