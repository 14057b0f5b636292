"""LanguageModel: a causal transformer with its tokenizer, on a device, and the adapters that stand on it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from kit.errors import IntegrityError, UsageError
from kit.lm.adapter_folder import missing_folder
from kit.lm.adapters import Adapters
from kit.lm.devices import pick_device, pick_dtype
from kit.lm.generation import Prompt
from kit.lm.libraries import library, no_progress_bar
from kit.lm.lora import LoraSettings

NO_LIMIT = 10**6
"""What a tokenizer says of its longest text where it knows none is far above this."""


@dataclass(eq=False)
class LanguageModel:
    """A model that generates, scores and learns.

    Attributes:
        module: the transformer; ``module(input_ids=…).logits`` are (B, T, V). It is the same object whatever adapters
            come and go, and it answers as the active one.
        tokenizer: its tokenizer; it has a padding token, which no result depends on.
        device: where it is.
        dtype: number format of its weights; those of adapters are float32.
        context: tokens that a prompt and its answer may have together.
        name: what it was loaded by: a name, or the last part of a path.
        adapters: what stands on it.
    """

    module: nn.Module = field(repr=False)
    tokenizer: Any = field(repr=False)
    device: torch.device
    dtype: torch.dtype
    context: int
    name: str
    adapters: Adapters = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.adapters = Adapters(self.module)
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token

    @classmethod
    def load(
        cls,
        name_or_path: str | Path,
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
    ) -> LanguageModel:
        """Load a model from a folder, or by name from the local cache of Hugging Face; nothing is downloaded.

        Args:
            name_or_path: a folder as ``save_pretrained`` writes it, or a name such as ``Qwen/Qwen3-1.7B-Base``.
            device: the first GPU where there is one, else the CPU.
            dtype: by the device: ``float32`` on a CPU, ``bfloat16`` or, on an older GPU, ``float16``.

        Raises:
            UsageError: it is not there, or it is no causal language model; a path that is not there is named with the
                nearest entry beside it.
            IntegrityError: its weights are damaged.
            MissingDependencyError: transformers is not installed.
        """
        where = pick_device(device)
        format_ = pick_dtype(where, dtype)
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads do not survive a fork
        auto = library("transformers")
        source = str(name_or_path)
        try:
            tokenizer = auto.AutoTokenizer.from_pretrained(source, local_files_only=True)
            with no_progress_bar():
                module = auto.AutoModelForCausalLM.from_pretrained(
                    source, local_files_only=True, dtype=format_
                )
        except SafetensorError as error:
            raise IntegrityError(f"The weights in {source} are damaged: {error}.", [source]) from error
        except (OSError, ValueError) as error:
            raise _not_loaded(Path(name_or_path), error) from error
        _into_own_memory(module)
        name = Path(source).resolve().name if Path(source).is_dir() else source
        return cls(module.to(where).eval(), tokenizer, where, format_, _context(module, tokenizer), name)

    def tokens(self, text: str) -> list[int]:
        """Return the tokens of a text as it stands: nothing is put before or behind it."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return ids

    def text(self, tokens: Sequence[int]) -> str:
        """Return tokens in words, those of the tokenizer's own included."""
        words: str = self.tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False)
        return words

    def fixed_tokens(self, text: str) -> list[int]:
        """Return the tokens of the fixed part of a prompt: with the token that begins every text, if there is one."""
        begin = self.tokenizer.bos_token_id
        if begin is not None and self.tokenizer.encode("")[:1] == [begin]:
            return [begin, *self.tokens(text)]
        return self.tokens(text)

    def prompt_tokens(self, prompt: Prompt) -> tuple[list[int], list[int]]:
        """Return the tokens of a prompt's fixed part and of the rest, tokenised apart."""
        return self.fixed_tokens(prompt.fixed), self.tokens(prompt.rest)

    def stop_token(self, text: str) -> int:
        """Return the token that ``text`` is.

        Raises:
            UsageError: it is not one token.
        """
        ids = self.tokens(text)
        if len(ids) != 1:
            raise UsageError(f"A stop text must be one token; for this model {text!r} is {len(ids)}.")
        return ids[0]

    def adapt(self, settings: LoraSettings, name: str = "policy", *, seed: int = 0) -> None:
        """Add a LoRA adapter that learns, drawn from ``seed``; the model itself is frozen.

        The first one is active from then on; others are where they are used (`using`).

        Raises:
            UsageError: the name is taken, or a target matches no layer: lists those that would.
        """
        first = not self.adapters.settings
        self.adapters.add(name, settings, seed=seed, learns=True)
        if first:
            self.adapters.activate(name)

    def trainable(self, name: str = "policy") -> list[nn.Parameter]:
        """Return the parameters of an adapter, in the order of the layers."""
        return [parameter for _, parameter in self.adapters.parameters(name)]

    def using(self, name: str | None) -> contextlib.AbstractContextManager[None]:
        """Let an adapter answer in a ``with`` block; None: the model as it was loaded."""
        return self.adapters.using(name)

    def save_adapter(self, folder: Path | str, name: str = "policy") -> None:
        """Write an adapter to a folder, which is there whole or not at all.

        Raises:
            StorageError: writing failed; what was there before is intact.
        """
        self.adapters.save(Path(folder), name, self.name)

    def load_adapter(self, folder: Path | str, name: str, *, learns: bool = False) -> None:
        """Add the adapter in a folder under ``name``, in place of one of that name; it is not made active.

        Raises:
            UsageError: there is none, or it does not fit this model.
            IntegrityError: its files are damaged.
        """
        self.adapters.load(Path(folder), name, learns=learns)

    def drop_adapter(self, name: str) -> None:
        """Take an adapter away."""
        self.adapters.remove(name)

    def version(self, name: str | None) -> int:
        """Return a number that changes whenever weights behind an adapter's answers are changed in place.

        torch counts what optimizers and ``copy_`` write into a tensor.
        """
        parameters = self.adapters.base_parameters()
        parameters += self.trainable(name) if name is not None else []
        return sum(parameter._version for parameter in parameters)


def _into_own_memory(module: nn.Module) -> None:
    """Copy weights out of the file they were read from.

    There they begin wherever its header ends; where a tensor begins, the last bits of a product may depend on.
    """
    for parameter in module.parameters():
        parameter.data = parameter.data.clone()


def _context(module: nn.Module, tokenizer: Any) -> int:
    config: Any = module.config
    longest = getattr(config.get_text_config(), "max_position_embeddings", None)
    if longest is None:
        longest = min(int(tokenizer.model_max_length), NO_LIMIT)
    return int(longest)


def _not_loaded(path: Path, error: Exception) -> UsageError:
    if path.is_dir():
        return UsageError(f"{path} holds no language model that can be loaded: {error}")
    said = missing_folder("model", path)
    hint = f" Did you mean {said.nearest}?" if said.nearest else ""
    return UsageError(
        f"There is no model at {path}, and none of that name in the local cache of Hugging Face; nothing is "
        f"downloaded.{hint}",
        said.nearest,
    )
