"""LoRA: small trainable matrices beside frozen ones (Hu et al., "LoRA", ICLR 2022): W x + (alpha / rank) B A x."""

from __future__ import annotations

import copy
import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from kit.errors import UsageError, nearest_match

if TYPE_CHECKING:
    from kit.lm.language_model import LanguageModel

ATTENTION_AND_MLP = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class LoraSettings:
    """Shape of an adapter.

    Attributes:
        rank: columns of B, rows of A.
        alpha: what B A x is scaled by, times the rank.
        dropout: share of A's inputs that is dropped in training.
        targets: last names of the linear layers that get one.
    """

    rank: int = 32
    alpha: float = 32
    dropout: float = 0.0
    targets: tuple[str, ...] = ATTENTION_AND_MLP

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise UsageError(f"A LoRA rank must be at least 1, not {self.rank}.")
        if not (self.alpha > 0 and math.isfinite(self.alpha)):
            raise UsageError(f"LoRA's alpha must be above 0, not {self.alpha}.")
        if not 0.0 <= self.dropout < 1.0:
            raise UsageError(f"LoRA's dropout must be in [0, 1), not {self.dropout}.")
        given: Any = self.targets
        if isinstance(given, str) or not given:
            raise UsageError(f"LoRA's targets must be names of layers, such as q_proj, not {self.targets!r}.")

    def config(self) -> dict[str, Any]:
        """Return these settings under peft's names."""
        return {
            "r": self.rank,
            "lora_alpha": self.alpha,
            "lora_dropout": self.dropout,
            "target_modules": sorted(self.targets),
        }

    @classmethod
    def of(cls, config: dict[str, Any]) -> LoraSettings:
        """Return the settings in an adapter's ``adapter_config.json``."""
        targets = tuple(sorted(config["target_modules"]))
        return cls(int(config["r"]), config["lora_alpha"], float(config.get("lora_dropout") or 0.0), targets)

    def check(self, module: nn.Module) -> None:
        """Make sure that each target is a linear layer of ``module``.

        Raises:
            UsageError: one matches nothing; lists those that would.
        """
        legal = adaptable(module)
        unknown = [target for target in self.targets if target not in legal]
        if unknown:
            nearest = nearest_match(unknown[0], legal)
            hint = f" Did you mean {nearest!r}?" if nearest else ""
            raise UsageError(
                f"LoRA targets that match nothing: {', '.join(unknown)}.{hint} "
                f"This model has: {', '.join(legal)}.",
                nearest,
            )


def adaptable(module: nn.Module) -> list[str]:
    """Return the last names of the linear layers below a model's head, each once, sorted."""
    find_head: Any = getattr(module, "get_output_embeddings", lambda: None)
    head = find_head()
    names = set()
    for name, layer in module.named_modules():
        inner = getattr(layer, "base_layer", layer)  # what an adapter stands on already
        linear = isinstance(inner, nn.Linear) or type(inner).__name__ == "Conv1D"  # GPT-2's, of transformers
        if linear and inner is not head and "lora_" not in name:
            names.add(name.removesuffix(".base_layer").rpartition(".")[2])
    return sorted(names)


def merged_copy(lm: LanguageModel, folder: Path | str) -> LanguageModel:
    """Return a frozen copy of a model with the adapter in ``folder`` added into its weights.

    It answers as the model under that adapter does, up to rounding of the weights in their own format, at the speed
    of the model without one, and takes the memory of a whole model: for an opponent that plays for long and never
    learns.

    Raises:
        UsageError: there is no adapter, or it does not fit.
        IntegrityError: its files are damaged.
    """
    adapters = copy.deepcopy(lm.adapters)
    adapters.load(Path(folder), "merged")
    module = adapters.merge("merged")
    module.requires_grad_(False)
    module.zero_grad(set_to_none=True)
    module.eval()
    return dataclasses.replace(lm, module=module, name=f"{lm.name}+{Path(folder).name}")
