"""The junction of a SUMO net: its green phases, and the lanes that lead to and from its stop lines.

Read from the net file alone (no SUMO needed), so that the training process knows the spaces before any
simulation runs. Distances are metres, upstream of the stop line for incoming lanes, downstream of the
junction for outgoing.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.errors import UsageError

REACH_M = 400.0  # how far the detectors look, along the lanes, across side nodes without a signal


@dataclass(frozen=True)
class Stretch:
    """A lane, or a part of the way through a side node, as seen from one lane of the junction.

    Attributes:
        lane: SUMO's lane id.
        slot: index of the junction lane this stretch belongs to (of ``lanes_in`` or ``lanes_out``).
        near_m: distance between the junction and the near end of the stretch.
        length_m: its length.
        share: which part of its vehicles count for this slot; 1 / (number of slots it feeds), since the lane
            that a vehicle will take is not known before it takes it.
    """

    lane: str
    slot: int
    near_m: float
    length_m: float
    share: float


@dataclass(frozen=True)
class Link:
    """A connection across the junction; its index is its place in the signal's state string."""

    index: int
    edge_in: str
    lane_in: str
    edge_out: str
    lane_out: str


@dataclass(frozen=True)
class SumoNetwork:
    """One signalised junction.

    Attributes:
        path: the net file.
        signal: id of the traffic light.
        green_states: state string of each green phase; an action is an index into it.
        native_green_s: length of each green in the program that the net ships with, s.
        yellow_s: the net's own yellow, s.
        links: connections across the junction.
        lanes_in: incoming lanes with a signal, in link order.
        lanes_out: outgoing lanes, in link order.
        approaches: edges of ``lanes_in``, in order.
        upstream: stretches within `REACH_M` of a stop line.
        downstream: stretches within `REACH_M` behind the junction.
        inside: lanes within the junction itself, each for the incoming lane that leads onto it.
        entries: edge id -> (slots that it feeds, distance of its beginning to their stop lines in m), for
            vehicles that wait outside the net to be inserted there.
    """

    path: str
    signal: str
    green_states: tuple[str, ...]
    native_green_s: tuple[float, ...]
    yellow_s: int
    links: tuple[Link, ...]
    lanes_in: tuple[str, ...]
    lanes_out: tuple[str, ...]
    approaches: tuple[str, ...]
    upstream: tuple[Stretch, ...]
    downstream: tuple[Stretch, ...]
    inside: tuple[Stretch, ...]
    entries: dict[str, tuple[tuple[int, ...], float]]

    @property
    def n_phases(self) -> int:
        """Number of green phases, that is of actions."""
        return len(self.green_states)

    def yellow_state(self, before: int, after: int) -> str:
        """Return the state between two greens: yellow for every link that loses its green."""
        pairs = zip(self.green_states[before], self.green_states[after], strict=True)
        return "".join("y" if old in "Gg" and new not in "Gg" else old for old, new in pairs)


def read_network(path: Path) -> SumoNetwork:
    """Read a net with exactly one signalised junction.

    Raises:
        UsageError: there is none or more than one, or its yellows differ in length or are shorter than 1 s.
    """
    root = ET.parse(path).getroot()
    signals = root.findall("tlLogic")
    if len(signals) != 1:
        raise UsageError(f"{path.name} has {len(signals)} traffic lights; a scenario here has exactly 1.")
    greens, yellow_s = _phases(signals[0], path.name)
    roads = _Roads(root)
    links = roads.links(str(signals[0].get("id")))
    lanes_in = tuple(dict.fromkeys(link.lane_in for link in links))
    lanes_out = tuple(dict.fromkeys(link.lane_out for link in links))
    edges_in, edges_out = {link.edge_in for link in links}, {link.edge_out for link in links}
    upstream = _shared(roads.walk(lanes_in, roads.before, never=edges_out - edges_in))
    return SumoNetwork(
        path=str(path),
        signal=str(signals[0].get("id")),
        green_states=tuple(greens),
        native_green_s=tuple(greens.values()),
        yellow_s=yellow_s,
        links=links,
        lanes_in=lanes_in,
        lanes_out=lanes_out,
        approaches=tuple(dict.fromkeys(link.edge_in for link in links)),
        upstream=upstream,
        downstream=_shared(roads.walk(lanes_out, roads.after, never=edges_in - edges_out)),
        inside=roads.inside(lanes_in),
        entries=_entries(upstream),
    )


def _phases(signal: ET.Element, name: str) -> tuple[dict[str, float], int]:
    """Return the greens (state -> native seconds) and the length of the yellows, s."""
    greens: dict[str, float] = {}
    yellows: set[float] = set()
    for phase in signal.findall("phase"):
        state, seconds = str(phase.get("state")), float(phase.get("duration", 0))
        if "y" in state:
            yellows.add(seconds)
        elif "G" in state or "g" in state:
            greens[state] = seconds
    if len(yellows) != 1 or min(yellows) < 1:
        raise UsageError(f"{name} has yellows of {sorted(yellows)} s; one length of at least 1 s is needed.")
    return greens, round(yellows.pop())


class _Roads:
    """The net's lanes and which leads to which, without the links that the signal controls."""

    def __init__(self, root: ET.Element) -> None:
        self.length_m = {str(lane.get("id")): float(lane.get("length", 0)) for lane in root.iter("lane")}
        self.before: dict[str, list[tuple[str, str]]] = defaultdict(
            list
        )  # lane -> [(lane, lane within the node)]
        self.after: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._signalled = [c for c in root.findall("connection") if c.get("tl")]
        within = [
            c for c in root.findall("connection") if str(c.get("from")).startswith(":") and c.get("via")
        ]
        self._further = {f"{c.get('from')}_{c.get('fromLane')}": str(c.get("via")) for c in within}
        for c in root.findall("connection"):
            if c.get("tl") or str(c.get("from")).startswith(":"):
                continue
            source, target, via = (
                f"{c.get('from')}_{c.get('fromLane')}",
                f"{c.get('to')}_{c.get('toLane')}",
                c.get("via"),
            )
            self.before[target].append((source, via or ""))
            self.after[source].append((target, via or ""))

    def links(self, signal: str) -> tuple[Link, ...]:
        found = [
            Link(
                index=int(c.get("linkIndex", 0)),
                edge_in=str(c.get("from")),
                lane_in=f"{c.get('from')}_{c.get('fromLane')}",
                edge_out=str(c.get("to")),
                lane_out=f"{c.get('to')}_{c.get('toLane')}",
            )
            for c in self._signalled
            if c.get("tl") == signal
        ]
        return tuple(sorted(found, key=lambda link: link.index))

    def inside(self, lanes_in: Sequence[str]) -> tuple[Stretch, ...]:
        """Return the lanes within the junction; where one ends, to wait for a gap, another goes on."""
        found = []
        for c in self._signalled:
            slot, near_m, lane = lanes_in.index(f"{c.get('from')}_{c.get('fromLane')}"), 0.0, c.get("via")
            while lane:
                found.append(Stretch(lane, slot, near_m, self.length_m[lane], 1.0))
                near_m, lane = near_m + self.length_m[lane], self._further.get(lane)
        return tuple(found)

    def walk(
        self, lanes: Iterable[str], neighbours: dict[str, list[tuple[str, str]]], never: set[str]
    ) -> list[tuple[str, int, float, float]]:
        """Return (lane, slot, near_m, length_m) of everything within `REACH_M` of each of ``lanes``.

        ``never``: edges that are not walked to; a turn-around would lead from the way in to the way out.
        """
        found: dict[tuple[str, int], tuple[float, float]] = {}
        todo = [(lane, slot, 0.0) for slot, lane in enumerate(lanes)]
        while todo:
            lane, slot, near_m = todo.pop(0)
            if near_m >= REACH_M or (lane, slot) in found:
                continue
            found[lane, slot] = (near_m, self.length_m[lane])
            far_m = near_m + self.length_m[lane]
            for neighbour, via in neighbours.get(lane, ()):
                if neighbour.rpartition("_")[0] in never:
                    continue
                inside_m = self.length_m.get(via, 0.0)
                if via and far_m < REACH_M:
                    found.setdefault((via, slot), (far_m, inside_m))
                todo.append((neighbour, slot, far_m + inside_m))
        return [(lane, slot, near_m, length_m) for (lane, slot), (near_m, length_m) in found.items()]


def _shared(walked: list[tuple[str, int, float, float]]) -> tuple[Stretch, ...]:
    feeds: dict[str, int] = defaultdict(int)
    for lane, *_ in walked:
        feeds[lane] += 1
    return tuple(
        Stretch(lane, slot, near_m, length_m, 1 / feeds[lane]) for lane, slot, near_m, length_m in walked
    )


def _entries(upstream: tuple[Stretch, ...]) -> dict[str, tuple[tuple[int, ...], float]]:
    slots: dict[str, list[int]] = defaultdict(list)
    start_m: dict[str, float] = {}
    for stretch in upstream:
        edge = stretch.lane.rpartition("_")[0]
        if stretch.slot not in slots[edge]:
            slots[edge].append(stretch.slot)
        start_m[edge] = min(start_m.get(edge, float("inf")), stretch.near_m + stretch.length_m)
    return {edge: (tuple(slots[edge]), start_m[edge]) for edge in slots}
