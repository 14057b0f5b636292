"""The head of a language model at chosen positions: logits are its largest tensor, and few of them are needed."""

from __future__ import annotations

from typing import Any

import torch


def logits_at(module: Any, ids: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Return the logits (N, V) at the N positions (rows, columns) of ``ids`` (B, L).

    What goes into the head is thinned out to those positions, and all that the model does with logits after it
    (scaling, capping) is done as ever. Of a model whose head cannot be reached all B·L logits are computed.
    """
    head, thinned = module.get_output_embeddings(), []

    def thin(_: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        if not inputs or inputs[0].dim() != 3:
            return None
        thinned.append(True)
        return (inputs[0][rows, columns].unsqueeze(0), *inputs[1:])

    hook = head.register_forward_pre_hook(thin) if head is not None else None
    try:
        logits: torch.Tensor = module(input_ids=ids, use_cache=False).logits
    finally:
        if hook is not None:
            hook.remove()
    return logits[0] if thinned else logits[rows, columns]


def last_hidden(module: Any, ids: torch.Tensor) -> torch.Tensor:
    """Return what the head would be given, (B, L, H), of a model of transformers or one that peft has wrapped."""
    causal = module.get_base_model() if hasattr(module, "get_base_model") else module
    hidden: torch.Tensor = causal.base_model(input_ids=ids, use_cache=False).last_hidden_state
    return hidden
