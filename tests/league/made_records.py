"""Games made up by hand: specs, steps, trajectories and records with as few words as a test needs."""

from collections.abc import Sequence

from hypothesis import strategies as st

from kit.league.game_record import GameRecord, Move
from kit.league.game_spec import TRAIN, GameSpec, PlayerSpec
from kit.league.trajectory import Step, Trajectory


def made_step(turn: int = 0, game: int = 0, **changes: object) -> Step:
    """A step whose tokens tell which one it is."""
    plain = {
        "game": game,
        "env_id": "Kuhn-v0",
        "pid": 0,
        "uid": "base",
        "turn": turn,
        "prompt": f"prompt {turn}",
        "prompt_ids": (1, 2, game),
        "token_ids": (turn, 3),
        "logprobs": (-0.5, -0.25),
        "temperature": 1.0,
        "text": "check",
        "action": "check",
        "format_ok": True,
        "legal": True,
        "reward": 0.0,
        "policy_version": 0,
    }
    return Step(**{**plain, **changes})


def made_spec(
    number: int = 0,
    kind: str = TRAIN,
    learns: Sequence[bool] = (True, False),
    versions: Sequence[int] = (0, -1),
    uids: Sequence[str] = ("base", "random"),
    env_id: str = "Kuhn-v0",
) -> GameSpec:
    """A game of these players."""
    players = tuple(
        PlayerSpec(pid, uid, None, "compact", learn, version)
        for pid, (uid, learn, version) in enumerate(zip(uids, learns, versions, strict=True))
    )
    return GameSpec(number, number, env_id, kind, players)


def made_record(
    spec: GameSpec,
    rewards: Sequence[float],
    moves: Sequence[Move] = (),
    steps: int = 2,
    fault: str = "",
    **changes: object,
) -> GameRecord:
    """A game that ended so; each player that learns made ``steps`` steps, changed by ``changes``."""
    trajectories = tuple(
        Trajectory(
            spec.number,
            spec.env_id,
            one.pid,
            one.uid,
            tuple(
                made_step(turn, spec.number, env_id=spec.env_id, pid=one.pid, **changes)
                for turn in range(steps)
            ),
            rewards[one.pid],
        )
        for one in spec.players
        if one.learns and not fault
    )
    return GameRecord(spec, trajectories, () if fault else tuple(rewards), tuple(moves), fault)


def any_steps(most: int = 8) -> st.SearchStrategy[list[Step]]:
    """Steps with whatever may be in them."""
    numbers = st.integers(0, 2**40)
    tokens = st.lists(st.integers(0, 200_000), max_size=5).map(tuple)
    reals = st.floats(-1e6, 1e6)
    texts = st.text(max_size=6)
    one = st.builds(
        Step,
        game=numbers,
        env_id=st.sampled_from(["Kuhn-v0", "TicTacToe-v0-train"]),
        pid=st.integers(0, 5),
        uid=texts,
        turn=numbers,
        prompt=texts,
        prompt_ids=tokens,
        token_ids=tokens,
        logprobs=st.lists(reals, max_size=5).map(tuple),
        temperature=st.floats(0, 2),
        text=texts,
        action=texts,
        format_ok=st.booleans(),
        legal=st.booleans(),
        reward=reals,
        policy_version=st.integers(-1, 1000),
    )
    return st.lists(one, max_size=most)
