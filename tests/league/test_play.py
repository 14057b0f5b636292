"""A game in play: what it asks, what it keeps, how it breaks, and how it comes back."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import IntegrityError, MissingDependencyError, UsageError
from kit.league.actor import Actor
from kit.league.local import LocalPool
from kit.league.play import GameInPlay
from kit.league.seeds import derived_seed
from kit.league.transcript import transcript
from kit.tensors import decode, encode
from tests.league.made_games import Scripted, Taker, answer, play_out, settings_in, spec_of


def let_opponents_move(play):
    """Until it is a policy's turn, or over."""
    while play.opponent_moves:
        play.answered(play.ask())


def played(spec, settings, moves=100):
    """Return a game after so many moves of policies, or at its end."""
    play = GameInPlay(spec, settings)
    let_opponents_move(play)
    for _ in range(moves):
        request = play.pending()
        if request is None:
            break
        play.take(answer(request))
        let_opponents_move(play)
    return play


def test_every_step_is_what_was_sampled(tmp_path):
    """Prompt, tokens, log-probabilities, version and turn of a step are those of the request and its answer."""
    play = GameInPlay(spec_of(5, "policy", "past"), settings_in(tmp_path, temperature=0.7, max_tokens=9))
    asked = []
    while (request := play.pending()) is not None:
        asked.append((play.mover.uid, play.turn, request))
        play.take(answer(request))
    record = play.record()
    [trajectory] = record.trajectories
    mine = [(turn, request) for uid, turn, request in asked if uid == "policy"]
    assert [step.turn for step in trajectory.steps] == [turn for turn, _ in mine]
    for step, (_, request) in zip(trajectory.steps, mine, strict=True):
        said = answer(request)
        assert (step.prompt, step.prompt_ids) == (request.prompt.text, said.prompt_ids)
        assert (step.token_ids, step.logprobs, step.text) == (said.token_ids, said.logprobs, said.text)
        assert (step.temperature, step.policy_version, step.uid) == (0.7, 3, "policy")
        assert (request.sampling.max_tokens, request.sampling.stop) == (9, ("\n",))
    assert {request.adapter for uid, _, request in asked if uid == "past"} <= {
        str(tmp_path / "adapters/past")
    }
    assert {request.adapter for uid, _, request in asked if uid == "policy"} == {None}
    assert len({request.seed for _, _, request in asked}) == len(asked)
    assert trajectory.final_reward == record.rewards[0] == -record.rewards[1]


def test_asking_twice_is_asking_once(tmp_path):
    """The same request, seed and all, until it is answered."""
    play = GameInPlay(spec_of(1, "policy", "policy"), settings_in(tmp_path))
    assert play.pending() == play.pending()
    assert play.turn == 0


def test_opponents_move_by_themselves_and_leave_no_steps(tmp_path):
    """Their moves are in the record, with their seat, and nobody learns from them."""
    record = played(spec_of(2, "random", "policy"), settings_in(tmp_path)).record()
    assert record.moves[0].pid == 0
    assert {move.pid for move in record.moves} == {0, 1}
    assert [one.uid for one in record.trajectories] == ["policy"]


def test_an_illegal_move_is_said_and_the_game_decides(tmp_path):
    """It stands in step and record as illegal; this game asks again, and goes on."""
    records = [
        played(spec_of(number, "policy", "policy"), settings_in(tmp_path)).record() for number in range(20)
    ]
    steps = [step for record in records for one in record.trajectories for step in one.steps]
    assert {step.legal for step in steps if step.text == "what?"} == {False}
    assert all(step.legal for step in steps if step.text != "what?")
    assert any(not step.legal for step in steps)
    assert all(not record.fault for record in records)


def test_what_an_environment_throws_breaks_its_game(tmp_path):
    """A record with the fault and the moves so far, and nothing to learn from."""
    record = played(
        spec_of(0, "policy", "policy", env_id="Throws", seed=_thrown()), settings_in(tmp_path)
    ).record()
    assert "Throws threw ZeroDivisionError: it is Tuesday" in record.fault
    assert (record.rewards, record.trajectories) == ((), ())
    assert record.moves
    assert "broke: Throws threw" in transcript(record)


def _thrown():
    return next(seed for seed in range(100) if derived_seed(seed, "game") % 3 == 0)


def test_an_opponent_that_gives_no_answer_breaks_the_game(tmp_path):
    """By its own error, or by whatever it throws: named in the fault."""
    assert "'broken'" in played(spec_of(0, "broken", "policy"), settings_in(tmp_path)).record().fault
    faults = [played(spec_of(n, "silent", "policy"), settings_in(tmp_path)).record().fault for n in range(30)]
    assert {fault for fault in faults if fault} == {"silent said nothing"}


def raising(error):
    """Return a function of anything that raises."""

    def call(*_):
        raise error

    return call


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("reset", raising(UsageError("no game by two")), "no game by two"),
        ("reset", raising(RuntimeError("no memory")), "RuntimeError: no memory"),
        ("over", property(raising(KeyError("done"))), "KeyError: 'done'"),
        ("player", property(lambda _: 7), "wants player 7 to move, and has 2"),
        ("player", property(raising(OSError("gone"))), "OSError: gone"),
        ("view", raising(ValueError("blind")), "ValueError: blind"),
        ("rewards", raising(TypeError("None")), "TypeError: None"),
        ("rewards", lambda _: (1.0,), r"these are its rewards: \(1.0,\)"),
        ("rewards", lambda _: (float("nan"), 0.0), r"these are its rewards: \(nan, 0.0\)"),
        ("rewards", lambda _: None, "TypeError"),
    ],
)
@pytest.mark.parametrize("uid", ["random", "policy"])
def test_whatever_an_environment_does_wrongly_breaks_its_game_alone(tmp_path, name, wrong, said, uid):
    """From its beginning to its rewards: the pool goes on, and hands over a record that says what it was."""
    settings, spec = settings_in(tmp_path), spec_of(1, uid, "policy")

    def make(env_id, players):
        made = settings.make_game(env_id, players)
        if players == 2:  # the other game has three
            made.__class__ = type("Wrong", (type(made),), {name: wrong})
        return made

    pool = LocalPool([Actor(Scripted())], replace(settings, make_game=make))
    sound = spec_of(2, "policy", "random", "past")
    broken, whole = sorted(play_out(pool, [spec, sound])[0], key=lambda record: record.spec.number)
    assert re.search(said, broken.fault)
    assert (broken.rewards, broken.trajectories) == ((), ())
    assert not whole.fault
    assert whole.trajectories


@pytest.mark.parametrize("action", [None, 3, b"1"])
def test_an_opponent_that_gives_no_text_breaks_the_game(tmp_path, action):
    """It is asked once, not for ever; an empty text is a move, which the game judges."""
    settings = settings_in(tmp_path)

    def giving(what):
        def make(uid):
            taker = Taker(uid)
            taker.act = lambda game, seed: what if game.view().player == 0 else "1"
            return taker

        return replace(settings, make_opponent=make)

    record = played(spec_of(0, "x", "policy"), giving(action)).record()
    assert record.fault == f"Opponent 'x' gave {action!r}, which is no action."
    empty = played(spec_of(0, "x", "policy"), replace(giving(""), most_moves=5)).record()
    assert [move.legal for move in empty.moves] == [False] * 5


def test_a_game_without_an_end_breaks(tmp_path):
    """After ``most_moves``, with the number in the fault."""
    spec = spec_of(0, "policy", "policy", env_id="Endless")
    record = played(spec, settings_in(tmp_path, most_moves=12)).record()
    assert record.fault == "Endless was not over after 12 moves."
    assert len(record.moves) == 12


def test_what_is_wrong_with_the_setup_is_no_broken_game(tmp_path):
    """A missing library or key concerns all games, and is raised."""
    settings = settings_in(tmp_path)

    def missing(uid):
        opponent = Taker(uid)

        def act(game, seed):
            raise MissingDependencyError("install it")

        opponent.act = act
        return opponent

    play = GameInPlay(
        spec_of(0, "x", "policy"), type(settings)(settings.make_game, missing, settings.template, tmp_path)
    )
    with pytest.raises(MissingDependencyError):
        let_opponents_move(play)


@given(
    number=st.integers(0, 10_000),
    moves=st.integers(0, 12),
    seats=st.permutations(["policy", "past", "random"]),
)
def test_a_saved_game_goes_on_as_if_it_had_not_been(number, moves, seats, tmp_path_factory):
    """Through a checkpoint's files: same requests, same moves, same record as the game that was not interrupted."""
    settings = settings_in(tmp_path_factory.getbasetemp())
    spec = spec_of(number, *seats)
    undisturbed = played(spec, settings)
    half = played(spec, settings, moves)
    play = GameInPlay.restored(decode(encode(half.state_dict())), settings)
    assert play.state_dict() == half.state_dict()
    while (request := play.pending()) is not None:
        play.take(answer(request))
        let_opponents_move(play)
    assert play.record() == undisturbed.record()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state["spec"].update(seed=11), "cannot be continued"),
        (
            lambda state: state["moves"][0].update(legal=not state["moves"][0]["legal"]),
            "is judged differently",
        ),
        (lambda state: state["steps"][0].update(prompt="other"), "the prompt of move 0 is another one"),
        (lambda state: state["moves"][0].update(pid=1), "is not player 1's any more"),
    ],
)
def test_a_game_that_comes_out_differently_is_refused(tmp_path, change, said):
    """Another game under the same name, another template: better no resume than another game."""
    settings = settings_in(tmp_path)
    state = played(spec_of(3, "policy", "policy", seed=3), settings, 2).state_dict()
    change(state)
    with pytest.raises(IntegrityError, match=said):
        GameInPlay.restored(state, settings)


def test_a_game_as_text_has_every_move(tmp_path):
    """Who moved, what, what was wrong with it, and what came out."""
    records = [
        played(spec_of(number, "policy", "random"), settings_in(tmp_path)).record() for number in range(20)
    ]
    record = next(one for one in records if any(not move.legal for move in one.moves))
    lines = transcript(record).splitlines()
    assert lines[0] == f"Game {record.spec.number}, Countdown (train): 0 policy, 1 random"
    assert len(lines) == len(record.moves) + 2
    assert any("what?" in line and "illegal" in line for line in lines)
    assert f"policy {record.rewards[0]:g}" in lines[-1]
