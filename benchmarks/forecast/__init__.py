"""``python -m benchmarks.forecast``: how near the forecasts of quick tests come to the runs that follow them.

    workloads      what is measured: agents and loops, with steps for about three minutes each
    places         environments by name, and how an agent is evaluated on them
    plate          an environment whose step is slow because it computes much
    agents         training of a stable-baselines3 agent under a session
    loops          training loops of one's own with a DataLoader, under a session
    training       one or the other, as the notebook calls it
    batches        an endless DataLoader that continues where it was
    hundred_steps  the test that forecasts are held against: a hundred steps by themselves, timed
    measuring      quick test, hundred steps and run of a workload, as raw facts in a file
    outcome        what was said of one workload, by the kit and by others, and what it took
    rivals         the hundred-step method, and a naive mean
    windows        a run cut into slices by its steps
    held_out       intervals that the other workloads make, and whether they hold
    findings       the figures over all workloads, with what was asked of them
    results        the rows of benchmarks/results-forecast.json
    table          the tables: README and terminal
    phase_table    which phases the errors come from
    shipped        what is written into the repository, and when

The notebook that both commands run is ``benchmarks/forecast.ipynb``.
"""
