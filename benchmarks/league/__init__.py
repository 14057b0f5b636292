"""``python -m benchmarks.league``: whether self-play learns, and whether ratings say who is stronger.

kuhn        one seed of Kuhn poker: how it is learnt, and what came of it
one_seed    that in a process of its own
ladder      opponents without a network against each other, rated
measuring   all of it, as raw facts in files
results     the rows of benchmarks/results-league.json
table       the tables: README and terminal
kept        results-league.json, which this shares with speed and long
speed       another benchmark, ``python -m benchmarks.league speed``, of how fast all of it is; speed_* are its parts

``python -m benchmarks.league.long``: longer games, learnt for minutes.

long_settings   how tic-tac-toe and SimpleTak are learnt
long_template   a board that a tiny model can read
long_learning   one seed, and what came of it; long_one_seed has it in a process of its own
long_exact      what a policy of tic-tac-toe is worth, over all boards; long_monitor looks at it during a run
long_matches    games against opponents without a network
long_measuring  all seeds, as raw facts in files
long_results    their rows; long_figures their curves
"""
