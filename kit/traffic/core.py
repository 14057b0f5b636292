"""The cell transmission model of an intersection, in numba: one thread, scalar loops, float64.

Every road is a row of cells. Between two cells flows min(what the first can send, what the second can take),
and so it does from the entry queue into the first cell, over the stop line, and out of the network (Daganzo
1994):

    send(n) = min(v_f·dt/dx · n, q_max·dt)        take(n) = min(q_max·dt, w·dt/dx · (n_jam − n))

All flows of a step follow from the state before it. No sum runs over vector lanes, so results are the same to
the last bit on every x86-64 machine, for one intersection and for a batch of them.

Layout, for B intersections with R = 4 roads in, then 4 out, of K cells, and P phases:

=============  ============  ================================================================
array          shape         content
=============  ============  ================================================================
cells          (B, 8, K)     vehicles in each cell, in the direction of travel
queues         (B, 4)        vehicles waiting to enter each incoming road
signals        (B, 4) int64  phase · steps of lost time left · steps of green so far · steps since the start
tallies        (B, 8)        the columns ``ON_ROADS`` … ``INTERVAL_DELAY``
arrivals       (B, D, 4)     vehicles that want to enter in each decision interval
observations   (B, n_obs)    float32, see ``TrafficSignalEnv``
measures       (B, 3 + P)    the columns ``REWARD`` … ``PRESSURE``, the last one P times
=============  ============  ================================================================
"""

from __future__ import annotations

import numpy as np
from numba import njit

# columns of signals
PHASE, LOST, GREEN, CLOCK = 0, 1, 2, 3
# columns of tallies. Now: vehicles on the roads, their moment Σ k·n_k in cells. Since the start: vehicles
# arrived, vehicles left, delay in veh·s. In the interval so far: steps that vehicles spent, cells that those
# covered who left a road. Of the latest complete interval: delay in veh·s
ON_ROADS, MOMENT, ARRIVED, LEFT, DELAY, SPENT, COVERED, INTERVAL_DELAY = 0, 1, 2, 3, 4, 5, 6, 7
TALLIES = 8
# columns of measures: reward and delay of the interval (veh·s), written when it ends; queue now (veh);
# pressures
REWARD, DELAY_S, QUEUE_VEH, PRESSURE = 0, 1, 2, 3

REWARDS = ("queue", "delay", "pressure", "diff-waiting-time")
"""Names of the rewards; the kernel knows them by their place in this tuple."""

QUEUE_SCALE_VEH = 50.0
GREEN_SCALE_S = 120.0

_compiled = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def advance(state, model, arrivals, actions, steps, observations, measures):  # type: ignore[no-untyped-def]
    """Show the phases asked for, simulate ``steps`` steps, and write observations and measures.

    Args:
        state: (cells, queues, signals, tallies), changed in place.
        model: (rates, times, edges, turning, serves, reward), made by ``Simulation`` of an ``Intersection``.
        arrivals: (B, D, 4) vehicles per decision interval.
        actions: (B,) int64 phase indices.
        steps: how many time steps; with 0 only observations, queue and pressures are written.
        observations: (B, n_obs) float32, overwritten.
        measures: (B, 3 + P) float64, overwritten (reward and delay only when a decision interval ends).
    """
    cells, queues, signals, tallies = state
    rates, times, edges, turning, serves, reward = model
    flows = np.zeros((4, 4))  # rows: into the roads in, over the stop lines, into the roads out, out of them
    columns = np.empty((2, cells.shape[2]))
    for b in range(cells.shape[0]):
        signal, tally, measure = signals[b], tallies[b], measures[b]
        _decide(signal, actions[b], times)
        _simulate(
            cells[b], queues[b], signal, tally, rates, times, turning, serves, arrivals[b], steps, flows
        )
        moment, queue_veh = _survey(cells[b], queues[b], tally, rates, columns)
        _observe(cells[b], queues[b], signal, rates, edges, serves.shape[0], observations[b])
        measure[QUEUE_VEH] = queue_veh
        if reward == 2:  # costs time, so otherwise only when asked for, by press
            _press(cells[b], queues[b], times, turning, serves, measure)
        if steps > 0 and signal[CLOCK] % times[0] == 0:
            _close_interval(tally, rates, moment, reward, measure)


@_compiled
def press(state, model, measures):  # type: ignore[no-untyped-def]
    """Write the pressures into ``measures``, which ``advance`` does only where the reward needs them."""
    cells, queues, _, _ = state
    _, times, _, turning, serves, _ = model
    for b in range(cells.shape[0]):
        _press(cells[b], queues[b], times, turning, serves, measures[b])


@_compiled
def _decide(signal, action, times):  # type: ignore[no-untyped-def]
    """Begin another phase with its lost time, unless the present one has not had its minimum green."""
    if action != signal[PHASE] and signal[GREEN] >= times[2] and signal[LOST] == 0:
        signal[PHASE] = action
        signal[LOST] = times[1]
        signal[GREEN] = 0


@_compiled
def _simulate(cells, queues, signal, tally, rates, times, turning, serves, arrivals, steps, flows):  # type: ignore[no-untyped-def]
    K = cells.shape[1]
    send, top, wave, room = rates[0], rates[1], rates[2], rates[3]
    on_roads, spent, covered = tally[ON_ROADS], tally[SPENT], tally[COVERED]
    arrived = left = 0.0
    for _ in range(steps):
        interval = signal[CLOCK] // times[0]
        spent += on_roads
        for i in range(4):
            if interval < arrivals.shape[0]:
                arriving = arrivals[interval, i] / times[0]
                queues[i] += arriving
                arrived += arriving
            entering = _least(queues[i], _least(top, room - wave * cells[i, 0]))
            queues[i] -= entering
            spent += queues[i]
            leaving = _least(send * cells[4 + i, K - 1], top)
            left += leaving
            on_roads += entering - leaving
            flows[0, i] = entering
            flows[3, i] = leaving
        if signal[LOST] > 0:
            signal[LOST] -= 1
            flows[1] = 0.0
            flows[2] = 0.0
        else:
            signal[GREEN] += 1
            _cross(cells, serves[signal[PHASE]], turning, rates, flows)
        for i in range(4):
            covered += K * (flows[1, i] + flows[3, i])
            _flow_along(cells[i], flows[0, i], flows[1, i], send, top, wave, room)
            _flow_along(cells[4 + i], flows[2, i], flows[3, i], send, top, wave, room)
        signal[CLOCK] += 1
    tally[SPENT] = spent
    tally[COVERED] = covered
    tally[ARRIVED] += arrived
    tally[LEFT] += left


@_compiled
def _least(a, b):  # type: ignore[no-untyped-def]
    return a if a < b else b  # not min(): its care for NaN keeps the compiler from using vector instructions


@_compiled
def _flow_along(road, inflow, outflow, send, top, wave, room):  # type: ignore[no-untyped-def]
    """Move one road's vehicles by one step; the flows over its ends are given."""
    before = inflow
    for k in range(road.shape[0] - 1):
        after = _least(_least(send * road[k], top), room - wave * road[k + 1])
        road[k] += before - after
        before = after
    road[road.shape[0] - 1] += before - outflow


@_compiled
def _cross(cells, served, turning, rates, flows):  # type: ignore[no-untyped-def]
    """Set the flows over the junction.

    An approach sends first-in-first-out, so that an exit without room holds back all of it. Approaches that
    want into the same exit get room there in proportion to what they send to it. (Not always the largest flow
    possible.)
    """
    send, top, wave, room = rates[0], rates[1], rates[2], rates[3]
    last = cells.shape[1] - 1
    for i in range(4):
        flows[1, i] = _least(send * cells[i, last], top) if served[i] else 0.0
    crowded = False
    for j in range(4):  # for now: which share of what is sent to the exit finds room there
        wanted = 0.0
        for i in range(4):
            wanted += flows[1, i] * turning[i, j]
        free = _least(top, room - wave * cells[4 + j, 0])
        flows[2, j] = 1.0
        if wanted > free:
            flows[2, j] = free / wanted
            crowded = True
    if crowded:
        for i in range(4):
            passing = 1.0
            for j in range(4):
                if turning[i, j] > 0.0:
                    passing = _least(passing, flows[2, j])
            flows[1, i] *= passing
    for j in range(4):
        flows[2, j] = 0.0
        for i in range(4):
            flows[2, j] += flows[1, i] * turning[i, j]


@_compiled
def _survey(cells, queues, tally, rates, columns):  # type: ignore[no-untyped-def]
    """Count the vehicles; return their moment Σ k·n_k (cells) and the queue (veh).

    The queue is Σ n·(1 − v/v_f) over the incoming cells, v being the speed that the fundamental diagram gives
    for the cell's density, plus the entry queues: standing vehicles count whole, freely moving ones not.
    Roads are added up cell by cell first: vector instructions can do that in a fixed order.
    """
    jam, lag = rates[6], rates[7]
    vehicles, slow = columns[0], columns[1]
    _add_up(cells, jam, lag, vehicles, slow)
    on_roads = moment = 0.0
    queue_veh = queues[0] + queues[1] + queues[2] + queues[3]
    for k in range(vehicles.shape[0]):
        on_roads += vehicles[k]
        moment += k * vehicles[k]
        queue_veh += slow[k]
    tally[ON_ROADS] = on_roads
    return moment, queue_veh


@_compiled
def _add_up(cells, jam, lag, vehicles, slow):  # type: ignore[no-untyped-def]
    """Write, cell by cell, the sum of all roads' vehicles, and of the incoming roads' slow ones."""
    for k in range(vehicles.shape[0]):
        total = late = 0.0
        for road in range(4):
            n = cells[road, k]
            delayed = n - lag * (jam - n)
            late += delayed if delayed > 0.0 else 0.0
            total += n + cells[4 + road, k]
        vehicles[k] = total
        slow[k] = late


@_compiled
def _observe(cells, queues, signal, rates, edges, n_phases, observation):  # type: ignore[no-untyped-def]
    """Write what the agent sees; ``TrafficSignalEnv`` has the table."""
    at = 0
    for road in range(4):
        for segment in range(edges.shape[0] - 1):
            vehicles = 0.0
            for k in range(edges[segment], edges[segment + 1]):
                vehicles += cells[road, k]
            jam = (edges[segment + 1] - edges[segment]) * rates[6]
            observation[at] = min(1.0, max(0.0, vehicles / jam))
            at += 1
    for i in range(4):
        observation[at + i] = min(1.0, queues[i] / QUEUE_SCALE_VEH)
    for phase in range(n_phases):
        observation[at + 4 + phase] = 1.0 if phase == signal[PHASE] else 0.0
    observation[at + 4 + n_phases] = min(1.0, signal[GREEN] * rates[4] / GREEN_SCALE_S)


@_compiled
def _press(cells, queues, times, turning, serves, measure):  # type: ignore[no-untyped-def]
    """Write the pressure of each phase, as ``SignalView`` defines it."""
    K, reach = cells.shape[1], times[3]
    measure[PRESSURE:] = 0.0
    for i in range(4):
        before = queues[i] if reach == K else 0.0
        behind = 0.0
        for k in range(reach):
            before += cells[i, K - reach + k]
            behind += cells[4 + i, k]
        for phase in range(serves.shape[0]):
            pressure = before if serves[phase, i] else 0.0
            for j in range(4):
                if serves[phase, j]:
                    pressure -= turning[j, i] * behind
            measure[PRESSURE + phase] += pressure


@_compiled
def _close_interval(tally, rates, moment, reward, measure):  # type: ignore[no-untyped-def]
    """Book and reward the delay of the interval: time spent less the distance covered at free flow.

    The distance needs no sum over all flows: the moment grows by one for every vehicle that goes on by one
    cell; one that leaves a road of K cells takes K − 1 out of it and has covered K.
    """
    dt_s, cell_s = rates[4], rates[5]
    delay_s = dt_s * tally[SPENT] - cell_s * (moment - tally[MOMENT] + tally[COVERED])
    measure[DELAY_S] = delay_s
    if reward == 0:
        measure[REWARD] = -measure[QUEUE_VEH] / 20.0
    elif reward == 1:
        measure[REWARD] = -delay_s / 300.0
    elif reward == 2:
        measure[REWARD] = -measure[PRESSURE:].sum() / 20.0
    else:
        measure[REWARD] = (tally[INTERVAL_DELAY] - delay_s) / 300.0
    tally[MOMENT] = moment
    tally[DELAY] += delay_s
    tally[INTERVAL_DELAY] = delay_s
    tally[SPENT] = 0.0
    tally[COVERED] = 0.0
