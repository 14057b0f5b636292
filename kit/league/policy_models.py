"""PolicyModels: the model that learns, and a copy of it on every further device, so that all of them play."""

from __future__ import annotations

from kit.errors import ContextLengthError
from kit.league.actor import Actor, Gauge
from kit.league.learners.base import POLICY
from kit.league.player_settings import PlayerSettings
from kit.lm.devices import pick_devices
from kit.lm.language_model import LanguageModel
from kit.lm.transformers_backend import TransformersBackend


class PolicyModels:
    """Loads them; copies have no adapter of their own, and load those that are played from the run folder.

    The model that learns plays too: while games are played it would have nothing to do, and the other way round.

    Args:
        player: which model, with which adapter, where.
        copies: whether the further devices get one; not where other processes play.
        seed: of the adapter.

    Attributes:
        learner: the model on the first device, with the adapter that learns.

    Raises:
        UsageError: no such model, device or LoRA target.
        ContextLengthError: an answer of ``max_tokens`` does not fit into the model's context.
    """

    def __init__(self, player: PlayerSettings, *, copies: bool, seed: int) -> None:
        self._player = player
        first, *further = pick_devices(player.devices)
        self.learner = LanguageModel.load(player.model_name, device=first, dtype=player.dtype)
        _refuse_no_room(self.learner, player.max_tokens)
        self.learner.adapt(player.lora, POLICY, seed=seed)
        self._copies = [
            LanguageModel.load(player.model_name, device=device, dtype=self.learner.dtype)
            for device in (further if copies else [])
        ]

    def actors(self, gauge: Gauge) -> list[Actor]:
        """Return an actor for each model, that of the learner first."""
        models = [self.learner, *self._copies]
        names = ["actor"] if len(models) == 1 else [f"actor{number}" for number in range(len(models))]
        return [
            Actor(backend_of(lm, self._player), gauge=gauge, name=name, device=str(lm.device))
            for name, lm in zip(names, models, strict=True)
        ]


def backend_of(lm: LanguageModel, player: PlayerSettings) -> TransformersBackend:
    """Return what answers with a model."""
    return TransformersBackend(lm, most_rows=player.most_rows, most_adapters=player.most_adapters)


def _refuse_no_room(lm: LanguageModel, max_tokens: int) -> None:
    if max_tokens >= lm.context:
        raise ContextLengthError(
            f"Answers of up to {max_tokens} tokens leave no room for a prompt in the {lm.context} "
            f"tokens of {lm.name}'s context: set max_generation_len lower."
        )
