"""The actor: what waits, what goes together, and who is told of an error."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from kit.errors import ContextLengthError, UsageError
from kit.harness.clock import ManualClock
from kit.league.actor import Actor
from kit.lm.generation import Prompt, Request, Sampling
from tests.league.made_games import Scripted, answer


def request(number, text="3\n>"):
    """Return a request like those of the made games."""
    return Request(Prompt("rules", text), number)


class Gauges:
    """Keeps what an actor reports."""

    def __init__(self):
        self.seen = {}

    def gauge(self, name, value):
        """Keep it."""
        self.seen.setdefault(name, []).append(value)


def test_what_comes_within_the_window_is_one_batch():
    """20 ms from the first one, not from the last; then all that is there goes together."""
    clock, backend = ManualClock(), Scripted()
    actor = Actor(backend, clock=clock, own_thread=False)
    assert actor.poll() is None
    futures = []
    for number in range(3):
        futures.append(actor.submit(request(number)))
        assert actor.poll() == pytest.approx(0.02 - 0.008 * number)
        clock.advance(0.008)
    assert backend.asked == []
    assert actor.queue_length == 3
    assert actor.poll() is None
    assert [len(batch) for batch in backend.asked] == [3]
    assert [future.result(0) for future in futures] == [answer(request(number)) for number in range(3)]


def test_a_full_batch_does_not_wait():
    """As many as fit go at once, in the order they came; the rest begins the next batch."""
    clock, backend = ManualClock(), Scripted()
    actor = Actor(backend, clock=clock, most_together=2, own_thread=False)
    futures = [actor.submit(request(number)) for number in range(3)]
    assert actor.poll() == pytest.approx(0.02)
    assert [len(batch) for batch in backend.asked] == [2]
    assert [future.done() for future in futures] == [True, True, False]


def test_threads_that_submit_get_each_their_own_answer():
    """A text, its tokens and their log-probabilities; the same as if they had asked one after the other."""
    actor = Actor(Scripted(), sampling=Sampling(0.5, 7))
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: actor.submit_prompt(f"{n % 5 + 1}\n>", seed=n), range(40)))
    actor.close()
    for number, got in enumerate(found):
        wanted = answer(Request(Prompt("", f"{number % 5 + 1}\n>"), number))
        assert got == (wanted.text, wanted.token_ids, wanted.logprobs)
        assert got.text == wanted.text


def test_a_prompt_alone_is_answered_within_its_window():
    """Nobody else submits and nobody polls: by `submit` as by `submit_prompt`, from whichever thread, the first too."""
    actor = Actor(Scripted())
    assert actor.submit(request(0)).result(timeout=30) == answer(request(0))
    with ThreadPoolExecutor(1) as other:
        got = other.submit(actor.submit_prompt, "3\n>", seed=1).result(timeout=30)
    assert got.text == answer(Request(Prompt("", "3\n>"), 1)).text
    assert actor.submit_prompt("3\n>", seed=1) == got
    actor.close()


def test_what_would_end_a_thread_does_not_end_the_actor():
    """It is raised at who waits for that batch, or in whoever polls; the next prompt is answered all the same."""

    class Leaving(Scripted):
        def generate(self, requests):
            if not self.asked:
                self.asked.append(list(requests))
                raise SystemExit(3)
            return super().generate(requests)

    actor = Actor(Leaving(), window_s=0)
    with pytest.raises(SystemExit):
        actor.submit_prompt("3\n>")
    assert actor.submit_prompt("3\n>", seed=1).text == answer(Request(Prompt("", "3\n>"), 1)).text
    actor.close()
    driven = Actor(Leaving(), window_s=0, own_thread=False)
    driven.submit(request(0))
    with pytest.raises(SystemExit):
        driven.poll()


def test_without_a_seed_each_prompt_has_its_own():
    """By how many came before: the same prompts again, at an actor of the same seed, are answered alike."""
    answers = []
    for _ in range(2):
        actor = Actor(Scripted(), seed=5, window_s=0)
        answers.append([actor.submit_prompt("4\n>", "lora") for _ in range(12)])
        actor.close()
    assert answers[0] == answers[1]
    assert len(set(answers[0])) > 1


def test_an_error_reaches_those_who_wait_and_the_actor_lives_on():
    """A prompt that is too long only its own; what breaks a batch all of it, and nobody after."""
    clock, backend = ManualClock(), Scripted(context=20)
    actor = Actor(backend, clock=clock, window_s=0, own_thread=False)
    short, long = actor.submit(request(0)), actor.submit(request(1, "3\n>" + "x" * 50))
    actor.poll()
    assert short.result(0).text
    with pytest.raises(ContextLengthError):
        long.result(0)
    backend.generate = lambda requests: []
    futures = [actor.submit(request(number)) for number in range(2)]
    actor.poll()
    for future in futures:
        with pytest.raises(RuntimeError, match="was asked 2 prompts and gave 0 answers"):
            future.result(0)
    del backend.generate
    after = actor.submit(request(9))
    actor.poll()
    assert after.result(0) == answer(request(9))


def test_a_prompt_that_is_too_long_costs_the_others_a_few_batches():
    """One of sixty-four: halves are asked again, not every prompt by itself; each has its answer, it its error."""
    backend = Scripted(context=20)
    asked = [request(number, "3\n>" + "x" * 50 * (number == 41)) for number in range(64)]
    found = Actor(backend).answer_each(asked)
    assert [place for place, one in enumerate(found) if isinstance(one, ContextLengthError)] == [41]
    assert [one for place, one in enumerate(found) if place != 41] == [
        answer(one) for place, one in enumerate(asked) if place != 41
    ]
    assert len(backend.asked) <= 1 + 2 * 6


def test_closing_answers_what_waits_and_refuses_the_rest():
    """Nobody waits for ever for an actor that is gone."""
    actor = Actor(Scripted(), window_s=60.0)
    future = actor.submit(request(0))
    actor.close()
    assert future.result(0) == answer(request(0))
    with pytest.raises(UsageError, match="is closed"):
        actor.submit(request(1))
    driven = Actor(Scripted(), window_s=60.0, own_thread=False)
    future = driven.submit(request(0))
    driven.close()
    assert future.result(0) == answer(request(0))


def test_what_an_actor_reports():
    """Queue, batch, tokens per second of the clock that it was given; adapters have numbers, the base model 0."""
    clock, gauges = ManualClock(), Gauges()

    class Slow(Scripted):
        def generate(self, requests):
            clock.advance(0.5)
            return super().generate(requests)

    actor = Actor(Slow(), gauge=gauges, clock=clock, name="a")
    answers = actor.answer(
        [request(0), Request(Prompt("", "2\n>"), 1, adapter="x"), Request(Prompt("", "2\n>"), 1)]
    )
    tokens = sum(len(one.token_ids) for one in answers)
    assert gauges.seen == {"a/queue": [0], "a/batch": [3], "a/tokens_per_s": [tokens / 0.5]}
    assert [actor.adapter_id(name) for name in (None, "y", "x", "y")] == [0, 2, 1, 2]


@pytest.mark.parametrize("wrong", [{"window_s": -1.0}, {"most_together": 0}])
def test_a_window_or_batch_that_cannot_be_is_refused(wrong):
    """Below zero seconds, or no prompt at all."""
    with pytest.raises(UsageError, match="window_s must be at least 0"):
        Actor(Scripted(), **wrong)
