"""A probe of a torch module with its data loader, loss and optimizer: loader, transfer, compute and optimiser apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kit.errors import UsageError
from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.timing.operators import profile
from kit.timing.probe import Probe
from kit.timing.probing import LIMIT_S, STEPS, Probing

if TYPE_CHECKING:
    import torch

Loss = Callable[[Any, Any], Any]
Forward = Callable[[Any, Any], Any]


def probe_module(
    module: torch.nn.Module,
    loader: Iterable[Any],
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    *,
    steps: int = STEPS,
    limit_s: float = LIMIT_S,
    warm_up: int | None = None,
    accumulation: int = 1,
    forward: Forward | None = None,
    profiled_steps: int = 0,
    clock: Clock = SYSTEM_CLOCK,
) -> Probe:
    """Train ``module`` for ``steps`` optimiser steps, or until ``limit_s`` has passed, and return what they cost.

    A step is ``accumulation`` batches and one step of the optimizer; ``samples_per_s`` counts each sample once. The
    parts: ``loader`` (waiting for a batch), ``transfer`` (to the module's device, where it is not the CPU), ``compute``
    (forward and backward), ``optimiser``, ``other``. The loader is begun again when it ends, as it is at the end of an
    epoch; an iterator, which cannot, ends the probe.

    It really trains what it is given, with no gradients before and after, and draws from the loader and from the
    random number generators as training does: for a probe beforehand hand in copies made together,
    ``module, optimizer = copy.deepcopy((module, optimizer))``, and a loader of its own, inside
    ``torch.random.fork_rng()``. Nothing else of them is changed; the module stays in the mode it is in.

    Args:
        module: what is trained; its parameters are on one device.
        loader: batches: ``(inputs…, target)``, a mapping of the module's keyword arguments, or its only argument.
        loss: makes a scalar of the module's output and the target (of the whole batch, where it is no tuple or list).
        optimizer: holds the module's parameters.
        steps: optimiser steps, warm-up included.
        limit_s: wall seconds after which no further step begins.
        warm_up: leading steps that count apart; None: they are detected.
        accumulation: batches whose gradients are summed up before the optimizer steps.
        forward: makes the loss of ``(module, batch)`` instead, where the batch is of another form.
        profiled_steps: further steps under torch.profiler, for ``Probe.operators``.
        clock: where the time comes from.

    Raises:
        UsageError: it measured nothing: an empty loader, no parameter that learns, a loss that was never finite.
    """
    if accumulation < 1:
        raise UsageError(f"accumulation must be at least 1, not {accumulation!r}.")
    what = f"the module {type(module).__name__}"
    _require_learning(what, module, optimizer)
    loss_of = forward or (lambda trained, batch: _loss(trained, batch, loss))
    unit = "optimiser step" if accumulation == 1 else f"optimiser step of {accumulation} batches"
    probing = Probing(what, steps=steps, limit_s=limit_s, warm_up=warm_up, unit=unit, clock=clock)
    trainer = _Trainer(probing, module, _Batches(what, loader), loss_of, optimizer, accumulation)
    if not module.training:
        probing.notes.append(
            "The module was in evaluation mode: what differs in training was not in the steps."
        )
    optimizer.zero_grad()
    with probing:
        while probing.going and trainer.take():
            pass
    probe = probing.result()
    return replace(probe, operators=profile(trainer.take, profiled_steps)) if profiled_steps else probe


def _require_learning(what: str, module: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not any(id(parameter) in held for parameter in learning):
        raise UsageError(
            f"A probe of {what} would contain no gradient step: of its parameters {len(learning)} require a gradient, "
            "and its optimizer holds none of these."
        )


class _Trainer:
    """Takes optimiser steps, each part under the stopwatch."""

    def __init__(
        self,
        probing: Probing,
        module: torch.nn.Module,
        batches: _Batches,
        loss_of: Forward,
        optimizer: torch.optim.Optimizer,
        accumulation: int,
    ) -> None:
        self.probing, self.module, self.batches, self.loss_of = probing, module, batches, loss_of
        self.optimizer, self.accumulation = optimizer, accumulation
        self.device = next(module.parameters()).device

    def take(self) -> bool:
        """Take one step; False where the loader ended before it was whole, which leaves the weights as they are."""
        part = self.probing.part
        samples, total = 0, 0.0
        for _ in range(self.accumulation):
            with part("loader"):
                batch = self.batches.next()
            if batch is _ENDED:
                self.optimizer.zero_grad()
                return False
            if self.device.type != "cpu":
                with part("transfer"):
                    batch = _moved(batch, self.device)
            with part("compute"):
                loss = self.loss_of(self.module, batch) / self.accumulation
                if not loss.requires_grad:
                    raise UsageError(
                        "The loss depends on no parameter that learns: there is no gradient step."
                    )
                loss.backward()
            samples += _size(batch)
            total += float(loss.detach())
        stepped = self._has_gradient()
        with part("optimiser"):
            self.optimizer.step()
            self.optimizer.zero_grad()
        self.probing.step(samples=samples, loss=total, optimiser_steps=int(stepped))
        return True

    def _has_gradient(self) -> bool:
        groups = self.optimizer.param_groups
        return any(parameter.grad is not None for group in groups for parameter in group["params"])


_ENDED = object()


class _Batches:
    """The loader's batches, epoch after epoch."""

    def __init__(self, what: str, loader: Iterable[Any]) -> None:
        self._what, self._loader = what, loader
        self._batches: Iterator[Any] | None = None

    def next(self) -> Any:
        """Return the next batch; _ENDED where the loader was an iterator and has ended."""
        if self._batches is None:
            self._batches = iter(self._loader)
        batch = next(self._batches, _ENDED)
        if batch is not _ENDED or self._batches is self._loader:
            return batch
        self._batches = iter(self._loader)
        batch = next(self._batches, _ENDED)
        if batch is _ENDED:
            raise UsageError(f"The probe of {self._what} measured nothing: its loader has no batch.")
        return batch


def _loss(module: Any, batch: Any, loss: Loss) -> Any:
    if isinstance(batch, Mapping):
        return loss(module(**batch), batch)
    if isinstance(batch, Sequence) and len(batch) > 1:
        return loss(module(*batch[:-1]), batch[-1])
    return loss(module(batch), batch)


def _moved(batch: Any, device: torch.device) -> Any:
    """Return the batch with every tensor in it on ``device``."""
    if hasattr(batch, "to"):
        return batch.to(device)
    if isinstance(batch, Mapping):
        return {name: _moved(value, device) for name, value in batch.items()}
    if isinstance(batch, list | tuple):
        return [_moved(value, device) for value in batch]
    return batch


def _size(batch: Any) -> int:
    """Return the samples in a batch: the length of its first tensor, array or list."""
    if isinstance(batch, Mapping):
        batch = list(batch.values())
    if isinstance(batch, list | tuple) and batch:
        return _size(batch[0])
    scalar = not hasattr(batch, "__len__") or getattr(batch, "ndim", None) == 0
    return 1 if scalar else len(batch)
