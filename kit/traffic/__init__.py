"""Traffic signals: environments, demand, controllers and their fair comparison.

Start at `kit.traffic.scenarios.load_scenario`. Importing this package imports nothing else, so that a process
that needs one part of it starts quickly.

- ``scenarios``: by name; ``embedded`` is one on the simulator in here, ``sumo_scenario`` one on SUMO
- ``seeds``: which days train, select and test
- ``demand``: vehicles that want to enter; ``counts`` reads them from a CSV file
- ``network``: the intersection; ``core`` its traffic, compiled; ``simulation`` a batch of them
- ``environment``, ``batch``: for Gymnasium, for stable-baselines3; ``diagnostics`` of a chatty one
- ``controllers``, ``webster``: who decides; ``view`` what they see
- ``evaluation``: same days for every controller, and paired differences
"""
