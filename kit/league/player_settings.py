"""PlayerSettings: what ``build()`` was told of the model that plays; two parts come as others' dictionaries."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kit.errors import UnknownNameError, UsageError
from kit.league.setting_checks import number, whole_number

if TYPE_CHECKING:
    from kit.lm.lora import LoraSettings

logger = logging.getLogger(__name__)

TEMPERATURE = 0.6
MOST_ROWS = 128
MOST_ADAPTERS = 8
_LORA = {"lora_rank": "rank", "lora_alpha": "alpha", "lora_dropout": "dropout", "target_modules": "targets"}
_VLLM = (
    *("model_name", "temperature", "max_tokens", "max_parallel_seq", "max_loras", "lora_config"),
    "max_model_len",
)


@dataclass(frozen=True)
class PlayerSettings:
    """The model, its adapter, how it answers and where.

    Attributes:
        model_name: folder of a model, or its name in the local cache of Hugging Face; nothing is downloaded.
        max_generation_len: tokens of an answer, and what the length-constant loss divides by.
        lora_config: ``lora_rank``, ``lora_alpha``, ``lora_dropout``, ``target_modules``; None: 32, 32, 0, and
            all linear layers of a Qwen block.
        vllm_config: as vLLM would be told. ``temperature`` (0.6), ``max_tokens`` (``max_generation_len``),
            ``max_parallel_seq`` (128) and ``max_loras`` (8) hold here too; vLLM itself is not used.
        dtype: number format of the model's weights: ``float32``, ``bfloat16`` or ``float16``; None: float32 on a CPU,
            bfloat16 on a GPU that has it (compute capability 8.0), float16 on an older one such as a T4. What
            learns, the adapters, is float32 in any case.
        devices: such as ``("cuda:0", "cuda:1")``. The model learns on the first, and plays on all of them, each with
            a copy of it. ``cuda`` is every GPU; None: every GPU, else the CPU. With ray the first counts alone.
    """

    model_name: str
    max_generation_len: int = 4096
    lora_config: Mapping[str, Any] | None = None
    vllm_config: Mapping[str, Any] | None = None
    dtype: str | None = None
    devices: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in self.vllm_config or {}:
            if name not in _VLLM:
                raise UnknownNameError("key of vllm_config", name, _VLLM)
        named = self._vllm("model_name", self.model_name)
        if named != self.model_name:
            raise UsageError(f"vllm_config names the model {named!r}, and model_name is {self.model_name!r}.")
        whole_number("max_generation_len", self.max_generation_len, 1)
        number("temperature", self._vllm("temperature", TEMPERATURE), above=False)
        for name in ("max_tokens", "max_parallel_seq", "max_loras"):
            whole_number(name, self._vllm(name, 1), 1)
        if self.vllm_config:
            logger.info(
                "vllm_config: temperature, max_tokens, max_parallel_seq and max_loras hold for the transformers "
                "backend too; the adapter is lora_config's, and the context the model's own."
            )

    @property
    def lora(self) -> LoraSettings:
        """The policy's adapter.

        Raises:
            UnknownNameError: ``lora_config`` has a key that is none.
        """
        from kit.lm.lora import LoraSettings

        given = dict(self.lora_config or {})
        for name in given:
            if name not in _LORA:
                raise UnknownNameError("key of lora_config", name, _LORA)
        if "target_modules" in given:
            given["target_modules"] = tuple(given["target_modules"])
        return LoraSettings(**{_LORA[name]: value for name, value in given.items()})

    @property
    def temperature(self) -> float:
        """That policies draw at."""
        return float(self._vllm("temperature", TEMPERATURE))

    @property
    def max_tokens(self) -> int:
        """Of an answer, at most."""
        return int(self._vllm("max_tokens", self.max_generation_len))

    @property
    def most_rows(self) -> int:
        """Answers that go through the model together."""
        return int(self._vllm("max_parallel_seq", MOST_ROWS))

    @property
    def most_adapters(self) -> int:
        """Adapters that are held in memory."""
        return int(self._vllm("max_loras", MOST_ADAPTERS))

    def _vllm(self, name: str, default: Any) -> Any:
        value = (self.vllm_config or {}).get(name)
        return default if value is None else value
