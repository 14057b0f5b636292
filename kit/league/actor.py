"""Actor: answers prompts with one backend; what others submit within 20 ms is answered in one batch."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import NamedTuple, Protocol

from kit.errors import ContextLengthError, UsageError
from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.league.seeds import derived_seed
from kit.lm.backend import Backend
from kit.lm.generation import Generation, Prompt, Request, Sampling

WINDOW_S = 0.02
"""How long an actor waits for more prompts after the first one of a batch, seconds."""
MOST_TOGETHER = 128
"""Prompts in a batch; as many do not wait."""


class Answer(NamedTuple):
    """What ``submit_prompt`` returns: the text, the tokens that were drawn, the log-probability of each."""

    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]


class Gauge(Protocol):
    """Where an actor reports to: the tracker."""

    def gauge(self, name: str, value: float) -> None:
        """Note how something stands at this time; never part of a result."""
        ...


class Actor:
    """Answers prompts with one backend.

    ``answer`` does so at once, in the caller's thread: the local pool plays in rounds and needs nobody to wait.
    ``submit`` and ``submit_prompt`` are for many threads that each have one prompt: a thread of the actor's own, begun
    by the first of them, answers in batches what comes within ``window_s``. An error of the backend is raised at those
    who wait for that batch; a prompt that is too long only at the one who submitted it.

    With ``own_thread=False`` there is no such thread: whoever made the actor calls ``poll`` for as long as others wait.

    Attributes:
        device: where its backend computes.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        gauge: Gauge | None = None,
        name: str = "actor",
        device: str = "cpu",
        seed: int = 0,
        sampling: Sampling | None = None,
        clock: Clock = SYSTEM_CLOCK,
        window_s: float = WINDOW_S,
        most_together: int = MOST_TOGETHER,
        own_thread: bool = True,
    ) -> None:
        if window_s < 0 or most_together < 1:
            raise UsageError(
                f"window_s must be at least 0 and most_together at least 1, not {window_s} and {most_together}."
            )
        self._backend, self._gauge, self._name, self._clock = backend, gauge, name, clock
        self.device = device
        self._seed, self._sampling = seed, sampling or Sampling()
        self._window_s, self._most = window_s, most_together
        self._ids: dict[str, int] = {}
        self._queue: deque[tuple[Request, Future[Generation], float]] = deque()
        self._changed = threading.Condition()
        self._answering = threading.Lock()
        self._own_thread = own_thread
        self._thread: threading.Thread | None = None
        self._closed = False
        self._submitted = 0

    # At once

    def answer(self, requests: Sequence[Request]) -> list[Generation]:
        """Return the answers, in the order of the requests."""
        for request in requests:
            self.adapter_id(request.adapter)
        with self._answering:
            began = self._clock.monotonic()
            answers = self._backend.generate(requests)
            took_s = self._clock.monotonic() - began
        if len(answers) != len(requests):
            raise RuntimeError(
                f"{self._name} was asked {len(requests)} prompts and gave {len(answers)} answers."
            )
        self._report(len(requests), sum(len(answer.token_ids) for answer in answers), took_s)
        return answers

    def answer_each(self, requests: Sequence[Request]) -> list[Generation | ContextLengthError]:
        """Return the answers, with the error in place of one whose prompt is too long: it costs no other its own."""
        if not requests:
            return []
        try:
            return [*self.answer(requests)]
        except ContextLengthError as error:
            if len(requests) == 1:
                return [error]
            half = (
                len(requests) // 2
            )  # so that one among many costs a few batches, and not one for each of them
            return [*self.answer_each(requests[:half]), *self.answer_each(requests[half:])]

    def adapter_id(self, adapter: str | None) -> int:
        """Return the number of an adapter: 0 for the base model, else counted from 1 as they were first asked for."""
        return 0 if adapter is None else self._ids.setdefault(adapter, len(self._ids) + 1)

    def forget(self, adapter: str) -> None:
        """Drop an adapter; its number is not used again."""
        self._backend.forget(adapter)

    # In batches

    @property
    def queue_length(self) -> int:
        """Prompts that wait."""
        return len(self._queue)

    def submit(self, request: Request) -> Future[Generation]:
        """Put a request into the queue; its answer comes with the batch that it falls into."""
        future: Future[Generation] = Future()
        with self._changed:
            if self._closed:
                raise UsageError(f"{self._name} is closed: it answers nothing any more.")
            self._queue.append((request, future, self._clock.monotonic()))
            if self._own_thread:
                self._begin()
            self._changed.notify()
        return future

    def submit_prompt(
        self,
        prompt: str | Prompt,
        lora_path: str | None = None,
        *,
        seed: int | None = None,
        sampling: Sampling | None = None,
    ) -> Answer:
        """Wait for the answer to a prompt, by the model with the LoRA adapter in ``lora_path``.

        Without a ``seed`` it is drawn from the actor's own, by how many prompts came before it.
        """
        with self._changed:
            seed = derived_seed(self._seed, self._name, self._submitted) if seed is None else seed
            self._submitted += 1
        whole = prompt if isinstance(prompt, Prompt) else Prompt("", prompt)
        done = self.submit(Request(whole, seed, sampling or self._sampling, lora_path)).result()
        return Answer(done.text, done.token_ids, done.logprobs)

    def poll(self) -> float | None:
        """Answer the batch that is due; return the seconds until one is, None where nothing waits."""
        with self._changed:
            left_s = self._left_s()
            if left_s is None or left_s > 0:
                return left_s
            batch = [self._queue.popleft() for _ in range(min(self._most, len(self._queue)))]
        self._serve(
            [(request, future) for request, future, _ in batch if future.set_running_or_notify_cancel()]
        )
        with self._changed:
            return self._left_s()

    def _begin(self) -> None:
        """Start the thread that answers what is submitted, if there is none, or a fork has left it behind."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._loop, name=f"kit-{self._name}", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Answer what waits, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        while self.queue_length:
            self.poll()

    def _left_s(self) -> float | None:
        """Return the seconds until the batch is due; the first one of it began the window."""
        if not self._queue:
            return None
        if self._closed or len(self._queue) >= self._most:
            return 0.0
        return max(0.0, self._queue[0][2] + self._window_s - self._clock.monotonic())

    def _serve(self, batch: Sequence[tuple[Request, Future[Generation]]]) -> None:
        try:
            answers = self.answer_each([request for request, _ in batch])
        except BaseException as error:
            for _, future in batch:
                future.set_exception(error)
            if not (self._own_thread or isinstance(error, Exception)):
                raise  # in whoever polls; a thread of its own has others to answer yet
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if isinstance(answer, ContextLengthError):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    def _loop(self) -> None:
        while True:
            left_s = self.poll()
            with self._changed:
                if left_s is None and not self._queue:
                    if self._closed:
                        return
                    self._changed.wait()
                elif left_s:
                    self._changed.wait(left_s)

    def _report(self, requests: int, tokens: int, took_s: float) -> None:
        if self._gauge is None:
            return
        self._gauge.gauge(f"{self._name}/queue", len(self._queue))
        self._gauge.gauge(f"{self._name}/batch", requests)
        if took_s > 0:
            self._gauge.gauge(f"{self._name}/tokens_per_s", tokens / took_s)
