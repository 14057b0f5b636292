"""Small games and players for the tests of everything that plays: real objects, of which all is known."""

from collections.abc import Sequence

from kit.errors import ContextLengthError, GameError
from kit.league.game import Game, Verdict, View
from kit.league.game_spec import TRAIN, GameSpec, PlayerSpec
from kit.league.play_settings import PlaySettings
from kit.league.prompt_templates import find_template
from kit.league.seeds import derived_seed
from kit.lm.generation import Generation, Request


class Countdown:
    """Players take 1 or 2 from a heap in turn; who takes the last one wins 1 from each of the others.

    An illegal action changes nothing, so that its player is asked again. In ``Throws`` games whose seed is a multiple
    of 3 throw at the second action; in ``Endless`` nothing is ever taken.
    """

    def __init__(self, env_id: str, num_players: int = 2) -> None:
        self.env_id, self.num_players = env_id, num_players
        self._left = self._turn = self._seed = 0

    def reset(self, seed: int) -> None:
        """Begin; the heap comes from the seed."""
        self._seed, self._turn, self._left = seed, 0, 3 + seed % 4

    @property
    def over(self) -> bool:
        """Whether the heap is gone."""
        return self._left == 0

    @property
    def player(self) -> int:
        """Whose move it is."""
        return (self._turn - self.over) % self.num_players

    def view(self) -> View:
        """Return what there is to see: the heap."""
        legal = ("1", "2") if self._left > 1 else ("1",)
        return View(self.player, "Take the last one.", f"{self._left} are left.", "o" * self._left, legal)

    def step(self, action: str) -> Verdict:
        """Take."""
        if self.env_id == "Throws" and self._seed % 3 == 0 and self._turn == 1:
            raise ZeroDivisionError("it is Tuesday")
        if action not in self.view().legal:
            return Verdict(False, "no")
        self._turn += 1
        if self.env_id != "Endless":
            self._left -= int(action)
        return Verdict(True)

    def rewards(self) -> tuple[float, ...]:
        """Return what it came to."""
        lost = -1.0 if self.over else 0.0
        return tuple(
            -lost * (self.num_players - 1) if pid == self.player else lost for pid in range(self.num_players)
        )


def make_game(env_id: str, num_players: int = 2) -> Game:
    """Return one of the games above."""
    return Countdown(env_id, num_players)


class Taker:
    """Takes 1 or 2 by the seed; ``silent`` gives no answer in every fourth game, ``broken`` throws."""

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self.network = uid == "far"

    def act(self, game: Game, seed: int) -> str:
        """Return a legal action, if it does."""
        if self.uid == "silent" and seed % 4 == 0:
            raise GameError("silent said nothing")
        if self.uid == "broken":
            raise KeyError("broken")
        legal = game.view().legal
        return legal[seed % len(legal)]


class Scripted:
    """A backend whose answers are a function of prompt, seed and adapter; every token is a character.

    One answer in eight is nonsense. It remembers what it was asked, and what it was to forget.
    """

    def __init__(self, context: int = 1_000) -> None:
        self.context = context
        self.asked: list[list[Request]] = []
        self.forgotten: list[str] = []

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Answer."""
        self.asked.append(list(requests))
        for request in requests:
            if len(request.prompt.text) > self.context:
                raise ContextLengthError(f"{len(request.prompt.text)} tokens and a context of {self.context}")
        return [answer(request) for request in requests]

    def forget(self, adapter: str) -> None:
        """Remember that."""
        self.forgotten.append(adapter)


def answer(request: Request) -> Generation:
    """Return what Scripted says."""
    seed = derived_seed(request.seed, request.prompt.text)
    heap = request.prompt.rest.split("\n")[0]
    text = "1" if len(heap) == 1 else str(1 + seed % 2)
    text = "what?" if seed % 8 == 0 else text
    tokens = tuple(map(ord, text + "\n"))
    logprobs = tuple(-(1 + (seed + place) % 7) / 8 for place in range(len(tokens)))
    return Generation(tuple(map(ord, request.prompt.text)), tokens, logprobs, text, True)


def settings_in(folder, **more) -> PlaySettings:
    """Return how the games above are played, with adapters below ``folder``."""
    return PlaySettings(make_game, Taker, find_template, folder, **more)


def spec_of(
    number: int, *uids: str, env_id: str = "Countdown", kind: str = TRAIN, seed: int | None = None
) -> GameSpec:
    """Return a game: ``policy`` learns, ``past`` plays an adapter and does not, others are opponents."""
    players = [
        PlayerSpec(
            pid, uid, f"adapters/{uid}" if uid == "past" else None, "compact", uid == "policy", _version(uid)
        )
        for pid, uid in enumerate(uids)
    ]
    return GameSpec(
        number, derived_seed("test", number) if seed is None else seed, env_id, kind, tuple(players)
    )


def _version(uid: str) -> int:
    return {"policy": 3, "past": 1}.get(uid, -1)


def play_out(pool, specs, rounds: int = 200):
    """Return the records of all games, in the order in which they ended, and how many rounds it took."""
    pool.start(specs)
    records, count = [], 0
    while len(records) < len(specs):
        records += pool.round()
        count += 1
        assert count <= rounds
    return records, count
