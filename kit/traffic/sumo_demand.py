"""The trips of a SUMO scenario, and another day of them for every seed.

SUMO's own seed changes the drivers' noise and nothing else: all days would have the same trips at the same
seconds. So each seed also draws a volume and shifts the departures; test days then differ from training days.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

VOLUME_RANGE = (0.8, 1.2)  # a day has this many times the trips of the file
SHIFT_S = 300.0  # each departure moves by up to this much, either way
_STREAM = 0x5000  # keeps these draws apart from others made from the same seed


@dataclass(frozen=True)
class Trip:
    """One vehicle: when it wants to depart (simulation time, s), from which edge to which, and the rest."""

    id: str
    depart_s: float
    origin: str
    destination: str
    others: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Demand:
    """The trips of one day in order of departure, and the vehicle types they need (as XML)."""

    types_xml: str
    trips: tuple[Trip, ...]

    def before(self, end_s: float) -> Demand:
        """Return the trips that want to depart before ``end_s``."""
        return Demand(self.types_xml, tuple(t for t in self.trips if t.depart_s < end_s))

    def flows(self) -> Counter[tuple[str, str]]:
        """Return the number of vehicles from each edge to each edge."""
        return Counter((t.origin, t.destination) for t in self.trips)

    def to_xml(self) -> str:
        """Return the route file that SUMO reads."""
        lines = [_trip_xml(t) for t in self.trips]
        return "<routes>\n" + self.types_xml + "\n" + "\n".join(lines) + "\n</routes>\n"


def read_demand(path: Path) -> Demand:
    """Read the trips and vehicle types of a SUMO route file."""
    root = ET.parse(path).getroot()
    known = {"id", "depart", "from", "to"}
    trips = [
        Trip(
            id=str(e.get("id")),
            depart_s=float(e.get("depart", 0)),
            origin=str(e.get("from")),
            destination=str(e.get("to")),
            others=tuple((k, v) for k, v in e.attrib.items() if k not in known),
        )
        for e in root.findall("trip")
    ]
    types = "\n".join(ET.tostring(e, encoding="unicode").strip() for e in root if e.tag == "vType")
    return Demand(types, tuple(sorted(trips, key=lambda t: t.depart_s)))


def perturbed(demand: Demand, seed: int, begin_s: float, end_s: float) -> Demand:
    """Return the demand of another day, a function of ``seed`` alone.

    The volume is uniform on `VOLUME_RANGE`: trips are left out, or repeated under another id, at random. Each
    departure moves by a uniform shift of up to `SHIFT_S` either way, is reflected at ``begin_s`` and
    ``end_s`` (so that nothing piles up there) and falls on a whole second, SUMO's time step.
    """
    rng = np.random.default_rng([_STREAM, seed])
    n = len(demand.trips)
    wanted = round(n * rng.uniform(*VOLUME_RANGE))
    kept = rng.permutation(n)[: min(n, wanted)]
    again = rng.permutation(n)[: max(0, wanted - n)]
    chosen = [(demand.trips[i], "") for i in kept] + [(demand.trips[i], "_again") for i in again]
    departures = np.array([trip.depart_s for trip, _ in chosen]) + rng.uniform(-SHIFT_S, SHIFT_S, len(chosen))
    departures = begin_s + np.abs(departures - begin_s)
    departures = np.floor(np.minimum(departures, 2 * end_s - departures)).clip(begin_s, end_s - 1)
    trips = [
        Trip(trip.id + suffix, float(depart_s), trip.origin, trip.destination, trip.others)
        for (trip, suffix), depart_s in zip(chosen, departures, strict=True)
    ]
    return Demand(demand.types_xml, tuple(sorted(trips, key=lambda t: (t.depart_s, t.id))))


def _trip_xml(trip: Trip) -> str:
    attributes = {
        "id": trip.id,
        "depart": f"{trip.depart_s:.2f}",
        "from": trip.origin,
        "to": trip.destination,
    }
    return ET.tostring(ET.Element("trip", attributes | dict(trip.others)), encoding="unicode")
