"""What is read from a net file without SUMO."""

import pytest

from kit.errors import UsageError
from kit.traffic.sumo_network import REACH_M, read_network
from kit.traffic.sumo_observation import Detectors, LaneTraffic
from kit.traffic.sumo_scenario import SumoScenario
from tests.traffic.sumo_installed import needs_sumo

pytestmark = needs_sumo

EMPTY = LaneTraffic([], [], [])


@pytest.fixture(params=["cologne1", "ingolstadt1"])
def network(request):
    """The junction of each scenario."""
    return SumoScenario(request.param).network()


def test_phases_of_cologne():
    """cologne1 has four green phases and the 5 s yellow of its own program."""
    network = SumoScenario("cologne1").network()
    assert (network.n_phases, network.yellow_s, network.native_green_s) == (4, 5, (29.0, 6.0, 29.0, 6.0))


def test_yellow_only_where_green_is_lost(network):
    """Between two greens, a link is yellow exactly if it has green before and not after."""
    for before in range(network.n_phases):
        for after in range(network.n_phases):
            old, new = network.green_states[before], network.green_states[after]
            for sign, a, b in zip(network.yellow_state(before, after), old, new, strict=True):
                assert (sign == "y") == (a in "Gg" and b not in "Gg")


def test_no_lane_leads_both_in_and_out(network):
    """A turn-around does not make the way out part of the way in."""
    assert not {s.lane for s in network.upstream} & {s.lane for s in network.downstream}


def test_shares_add_up_to_one(network):
    """A vehicle before the junction counts once in all, however many lanes its road leads to."""
    total = {}
    for s in network.upstream:
        total[s.lane] = total.get(s.lane, 0.0) + s.share
        assert s.near_m < REACH_M
    assert all(abs(share - 1) < 1e-12 for share in total.values())


def test_vehicle_at_the_stop_line_is_in_the_first_cell(network):
    """One standing car at a stop line fills 6 of the first 15 m, and raises its phases' pressure."""
    detectors = Detectors(network)
    lane = network.lanes_in[0]
    length_m = next(s.length_m for s in network.upstream if s.lane == lane)
    traffic = dict.fromkeys(detectors.lanes, EMPTY) | {lane: LaneTraffic([length_m - 1.0], [0.0], [3.0])}
    m = detectors.measure(traffic, {})
    assert m.cells_veh[0, 0] == 1
    assert m.cells_veh.sum() == m.queue_veh.sum() == 1
    assert detectors.observation(m, 0, 0.0)[0] == pytest.approx(6 / 15)
    served = [
        any(link.lane_in == lane and s[link.index] in "Gg" for link in network.links)
        for s in network.green_states
    ]
    assert detectors.pressures(m).tolist() == [float(s) for s in served]


def test_net_without_a_signal_is_refused(tmp_path):
    """A net that has no traffic light is a usage error that says so."""
    (tmp_path / "plain.net.xml").write_text("<net></net>")
    with pytest.raises(UsageError, match="0 traffic lights"):
        read_network(tmp_path / "plain.net.xml")
