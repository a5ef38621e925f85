"""The leader: folds commands, reports and the clock into events; the only writer of a partition's log.

Several tickers run; one leads a partition, the others follow the log with the same state, so that taking over costs
no load. What is decided lives in `taskservice.domain`; here are the loop, the timers and the election's shell.
"""
