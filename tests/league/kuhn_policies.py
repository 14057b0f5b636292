"""Any policy of Kuhn poker, for Hypothesis, and every one that leaves nothing to chance."""

from collections.abc import Iterator
from itertools import product

from hypothesis import strategies as st

from kit.league.games.kuhn_rules import INFORMATION_SETS, LEGAL, mover, read_information_set

Policy = dict[str, dict[str, float]]


def policy_of(chances: dict[str, float]) -> Policy:
    """Return the policy that takes the first legal action of each information set with that probability."""
    policy: Policy = {}
    for name, first in chances.items():
        actions = LEGAL[read_information_set(name)[1]]
        policy[name] = {actions[0]: first, actions[1]: 1.0 - first}
    return policy


def any_policy() -> st.SearchStrategy[Policy]:
    """All of them, those with zeros and ones included."""
    one = st.floats(0.0, 1.0, allow_subnormal=False)
    return st.fixed_dictionaries(dict.fromkeys(INFORMATION_SETS, one)).map(policy_of)


def sure_policies(player: int, beside: Policy) -> Iterator[Policy]:
    """Each of the 64 ways in which ``player`` may always do the same; the other seat plays ``beside``."""
    mine = [name for name in INFORMATION_SETS if mover(read_information_set(name)[1]) == player]
    for choices in product((0.0, 1.0), repeat=len(mine)):
        yield beside | policy_of(dict(zip(mine, choices, strict=True)))
