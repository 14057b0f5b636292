"""What a controller may see of a signal besides the agent's observation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PRESSURE_RANGE_M = 200.0
"""How far from the junction a vehicle still counts towards the pressure, in metres."""


@dataclass(frozen=True)
class SignalView:
    """One signal at one decision.

    **Pressure** (max-pressure control, Varaiya 2013), fixed here for every simulator. Phase p lets the
    movements (i → j) flow, from incoming approach i to outgoing j with turning share β_ij. Its pressure, in
    vehicles, is

        pressure_p = Σ_{i served by p} ( x_i − Σ_j β_ij · y_j )

    where x_i counts all vehicles, moving or not, on the last 200 m of i before the stop line, and y_j those
    on the first 200 m of j. Where a road is shorter than 200 m it counts whole, and vehicles waiting to
    enter an incoming one count with it, because they stand within the 200 m. Lanes of one approach are added
    up. Where a simulator knows connections but no shares, β_ij is equal over the exits that i may take in p.

    Attributes:
        time_s: simulated seconds since the episode began.
        phase: index of the green phase that is showing, or is about to show once amber and all-red are over.
        elapsed_green_s: seconds that this phase has been green; 0 during amber and all-red.
        n_phases: how many green phases there are.
        pressures: (n_phases,) the pressure of each phase, in vehicles.
    """

    time_s: float
    phase: int
    elapsed_green_s: float
    n_phases: int
    pressures: np.ndarray
