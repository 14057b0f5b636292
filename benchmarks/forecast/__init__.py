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

The notebook that both commands run is ``benchmarks/forecast.ipynb``.
"""
