"""A played game as text, for people."""

from __future__ import annotations

from kit.league.game_record import GameRecord, Move

LONGEST = 60
"""Characters of an answer that are shown beside its action."""


def transcript(record: GameRecord) -> str:
    """Return a game as lines: who met whom, every move, and what it came to.

    An answer is shown where it is more than its action, and what was illegal or not in the form is said.
    """
    spec = record.spec
    seats = ", ".join(f"{one.pid} {one.uid}" for one in spec.players)
    width = max(len(one.uid) for one in spec.players)
    lines = [f"Game {spec.number}, {spec.env_id} ({spec.kind}): {seats}"]
    lines += [
        f"{turn + 1:4d}  {spec.players[move.pid].uid:{width}}  {_said(move)}"
        for turn, move in enumerate(record.moves)
    ]
    rewards = ", ".join(
        f"{one.uid} {reward:g}" for one, reward in zip(spec.players, record.rewards, strict=False)
    )
    lines.append(f"      broke: {record.fault}" if record.fault else f"      rewards: {rewards}")
    return "\n".join(lines)


def _said(move: Move) -> str:
    said = " ".join(move.text.split())
    shown = said if len(said) <= LONGEST else f"…{said[1 - LONGEST :]}"
    notes = [
        *([] if move.legal else ["illegal"]),
        *([] if move.format_ok else ["no action in the form asked for"]),
    ]
    action = move.action or "nothing"
    more = f"  «{shown}»" if said and said != move.action else ""
    return f"{action}{more}" + (f"  ({', '.join(notes)})" if notes else "")
