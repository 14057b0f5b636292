"""``python -m benchmarks.league``: whether self-play learns, and whether ratings say who is stronger.

kuhn        one seed of Kuhn poker: how it is learnt, and what came of it
one_seed    that in a process of its own
ladder      opponents without a network against each other, rated
measuring   all of it, as raw facts in files
results     the rows of benchmarks/results-league.json
table       the tables: README and terminal
kept        results-league.json, which this shares with speed
speed       another benchmark, ``python -m benchmarks.league speed``, of how fast all of it is; speed_* are its parts
"""
