"""A model behind an endpoint: what it is asked, what is made of its answer, and how it may fail."""

import logging

import pytest

from kit.errors import GameError, UsageError
from kit.harness.clock import ManualClock
from kit.league.games.kuhn import KuhnGame
from kit.league.opponents.endpoint import DEFAULT_MODEL, EndpointOpponent, EndpointSettings
from kit.league.opponents.patience import Patience
from tests.league.opponents.chat_server import ChatServer, Reply, completion

KEY = "sk-a-secret-0123456789"
CHECK = Reply(completion(r"I have little to lose. \boxed{check}"))


@pytest.fixture
def game() -> KuhnGame:
    """A hand that has just been dealt."""
    hand = KuhnGame()
    hand.reset(0)
    return hand


def opponent(server: ChatServer, waited: list[float] | None = None, **patience: object) -> EndpointOpponent:
    """Return the opponent that asks ``server``; waits are only noted."""
    pause = [].append if waited is None else waited.append
    settings = EndpointSettings(patience=Patience(pause=pause, **{"timeout_s": 10.0, **patience}))
    return EndpointOpponent(f"endpoint:a/model@{server.url}", settings, {"OPENAI_API_KEY": KEY})


def test_what_it_is_asked(game):
    """Model, rules, what the player sees, temperature and a seed, under its key, at the path of such endpoints."""
    with ChatServer(CHECK) as server:
        assert opponent(server).act(game, 2**62 + 5) == "check"
    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert asked.body["model"] == "a/model"
    assert (asked.body["temperature"], asked.body["seed"], asked.body["max_tokens"]) == (0.6, 5, 1024)
    system, user = asked.body["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    assert "You are player 0 and act first." in system["content"]
    assert f"Your card: {game.view().compact[0]}." in user["content"]
    assert r"\boxed{check}" in user["content"]


def test_it_plays_a_game_to_its_end(game):
    """Both seats, one question for each move."""
    with ChatServer(CHECK) as server:
        player = opponent(server)
        while not game.over:
            assert game.step(player.act(game, 1)).legal
    assert len(server.asked) == 2
    assert sorted(game.rewards()) == [-1, 1]


def test_an_answer_without_an_action_is_an_illegal_move(game):
    """The model said something, so it has moved; the game judges it."""
    with ChatServer(Reply(completion("I would rather not say."))) as server:
        assert opponent(server).act(game, 1) == ""
        assert not game.step("").legal


def test_too_many_requests_are_waited_for(game):
    """As long as the server asks, in seconds or by a date of its own clock; then as the backoff says."""
    dated = {"Retry-After": "Wed, 21 Oct 2026 07:28:09 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}
    refusals = [
        Reply("", 429, {"Retry-After": "7"}),
        Reply("{}", 429, dated),
        Reply("busy", 503),
        Reply("", 502),
    ]
    waited: list[float] = []
    with ChatServer(*refusals, CHECK) as server:
        assert opponent(server, waited).act(game, 1) == "check"
    assert waited[:2] == [7.0, 9.0]
    assert 4.0 <= waited[2] <= 5.0
    assert 8.0 <= waited[3] <= 10.0


def test_waits_are_the_same_for_the_same_seed(game):
    """Their part of chance comes from the move's seed, not from a generator."""
    waits: list[list[float]] = [[], [], []]
    for waited, seed in zip(waits, (1, 1, 2), strict=True):
        with ChatServer(Reply("", 500), Reply("", 500), CHECK) as server:
            opponent(server, waited).act(game, seed)
    assert waits[0] == waits[1] != waits[2]


def test_it_gives_up_after_its_attempts(game):
    """And says whom it asked and how often."""
    with (
        ChatServer(Reply({"error": {"message": "overloaded"}}, 529)) as server,
        pytest.raises(GameError) as caught,
    ):
        opponent(server, tries=3).act(game, 1)
    assert len(server.asked) == 3
    assert str(caught.value) == f"a/model at {server.url} asks for patience (529 overloaded). Tried 3 times."


def test_a_wait_that_is_too_long_is_not_waited(game):
    """An hour's patience is a game's fault, at once."""
    waited: list[float] = []
    wanted = pytest.raises(GameError, match="asks to wait 3600 s")
    with ChatServer(Reply("", 429, {"Retry-After": "3600"})) as server, wanted:
        opponent(server, waited).act(game, 1)
    assert len(server.asked) == 1
    assert not waited


def test_no_answer_is_a_timeout(game):
    """A server that hangs is left after the time that was set, as often as it may be tried."""
    with ChatServer(Reply(hang=True)) as server:
        with pytest.raises(GameError, match=r"no answer in 0\.1 s\. Tried 2 times\."):
            opponent(server, timeout_s=0.1, tries=2).act(game, 1)
        assert len(server.asked) == 2


def test_an_answer_that_trickles_is_a_timeout_too(game):
    """The time counts to the last byte, not from one to the next."""

    class Hurrying(ManualClock):
        def monotonic(self) -> float:
            self.advance(20.0)
            return super().monotonic()

    with ChatServer(CHECK) as server, pytest.raises(GameError, match=r"no answer in 10 s\."):
        opponent(server, tries=1, clock=Hurrying()).act(game, 1)


def test_nobody_there(game):
    """A refused connection names the address."""
    with ChatServer(CHECK) as server:
        url = server.url
        player = opponent(server, tries=2)
    with pytest.raises(GameError, match=rf"{url} cannot be reached .*Tried 2 times"):
        player.act(game, 1)


@pytest.mark.parametrize("body", ["<html>", "", b"\xff\xfe", '{"choices": [', "[" * 100_000])
def test_garbage_may_pass(game, body):
    """What is no JSON is asked for again."""
    with ChatServer(Reply(body), CHECK) as server:
        assert opponent(server).act(game, 1) == "check"
    with ChatServer(Reply(body)) as server, pytest.raises(GameError, match="no JSON"):
        opponent(server, tries=1).act(game, 1)


def test_an_answer_that_breaks_off_is_asked_for_again(game):
    """Half a completion is no JSON."""
    with ChatServer(Reply(CHECK.body, cut=40), CHECK) as server:
        assert opponent(server).act(game, 1) == "check"
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "body",
    [
        [],
        7,
        {},
        {"choices": []},
        {"choices": [7]},
        {"choices": [{"text": "check"}]},
        {"choices": [{"message": "check"}]},
        completion(["check"]),
    ],
)
def test_other_json_is_no_completion(game, body):
    """It would be the same again, so it is not asked for again."""
    with ChatServer(Reply(body)) as server, pytest.raises(GameError, match=f"a/model at {server.url}"):
        opponent(server).act(game, 1)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (completion(""), "empty answer"),
        (completion(None), r"empty answer \(it ended by 'stop'\)"),
        (completion("  \n"), "empty answer"),
        (completion(None, refusal="I cannot gamble."), "refuses to play: 'I cannot gamble.'"),
    ],
)
def test_a_refusal_is_no_move(game, body, said):
    """It is the game's fault record, with what was said."""
    with ChatServer(Reply(body)) as server, pytest.raises(GameError, match=said):
        opponent(server).act(game, 1)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 422])
def test_what_cannot_pass_is_not_tried_again(game, code):
    """One question, and an error with the server's reason."""
    wanted = pytest.raises(GameError, match=f"{code} no such thing")
    with ChatServer(Reply({"error": {"message": "no such thing"}}, code)) as server, wanted:
        opponent(server).act(game, 1)
    assert len(server.asked) == 1


@pytest.mark.parametrize(("code", "asked"), [(429, 2), (402, 1), ("odd", 1)])
def test_an_error_inside_an_answer_is_an_error(game, code, asked):
    """Some endpoints say 200 and mean another code."""
    wanted = pytest.raises(GameError, match="not now")
    with ChatServer(Reply({"error": {"code": code, "message": "not now"}})) as server, wanted:
        opponent(server, tries=2).act(game, 1)
    assert len(server.asked) == asked


def test_a_redirect_is_not_followed(game):
    """It would take the key to somebody else."""
    wanted = pytest.raises(GameError, match="302")
    with (
        ChatServer(CHECK) as elsewhere,
        ChatServer(Reply("", 302, {"Location": elsewhere.url})) as server,
        wanted,
    ):
        opponent(server).act(game, 1)
    assert not elsewhere.asked


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"error": {"message": f"Incorrect key: {KEY}"}}, 401),
        Reply({"error": {"message": "x" * 290 + KEY}}, 400),
        Reply(KEY, 200),
        Reply({"error": f"{KEY}"}, 429),
        Reply([KEY], 200),
    ],
)
def test_the_key_is_in_no_message(game, reply, caplog):
    """Not even in part, where the server says it back; neither in errors, nor in the log, nor in what repr shows."""
    caplog.set_level(logging.DEBUG)
    with ChatServer(reply) as server:
        player = opponent(server, tries=2)
        with pytest.raises(GameError) as caught:
            player.act(game, 1)
    for text in (str(caught.value), caplog.text, repr(player._connection)):
        assert "secret" not in text
        assert "sk-a" not in text


def test_a_completion_that_holds_the_key_does_not_show_it(game):
    """Nor where an answer is none."""
    with ChatServer(Reply(completion([KEY]))) as server, pytest.raises(GameError) as caught:
        opponent(server).act(game, 1)
    assert "secret" not in str(caught.value)


def test_the_default_endpoint_wants_its_key():
    """A name alone is a model at OpenRouter, as in Unstable Baselines; without a key that is said at once."""
    with pytest.raises(UsageError, match="OPENROUTER_API_KEY"):
        EndpointOpponent(DEFAULT_MODEL, environ={"OPENAI_API_KEY": KEY})
    player = EndpointOpponent(DEFAULT_MODEL, environ={"OPENROUTER_API_KEY": KEY})
    assert player.uid == DEFAULT_MODEL == "google/gemini-2.0-flash-lite-001"
    assert player._connection.name == f"{DEFAULT_MODEL} at https://openrouter.ai/api/v1"


def test_a_key_goes_only_to_whom_it_was_made_for(game):
    """OpenRouter's is not sent to a server of one's own, which needs none."""
    with ChatServer(CHECK) as server:
        EndpointOpponent(f"endpoint:m@{server.url}", environ={"OPENROUTER_API_KEY": KEY}).act(game, 1)
    assert "Authorization" not in server.asked[0].headers


@pytest.mark.parametrize("setting", [{"temperature": -0.1}, {"temperature": 2.5}, {"max_tokens": 0}])
def test_settings_are_checked(setting):
    """Each names itself."""
    with pytest.raises(UsageError, match=next(iter(setting))):
        EndpointSettings(**setting)


@pytest.mark.parametrize("setting", [{"timeout_s": 0.0}, {"tries": 0}])
def test_patience_is_checked(setting):
    """Each names itself."""
    with pytest.raises(UsageError, match=next(iter(setting))):
        Patience(**setting)
