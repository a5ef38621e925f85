"""Deterministic simulation of the core: a whole partition in one process, on a virtual clock, from one number.

`Fabric` is Redis as the core sees it (inbox, log, dispatch streams, signals), `Ticker` a leader that reads late, decides
ahead of its appends and dies between them, `Workforce` the workers with all their bad habits, `Clients` what people ask,
`Faults` what befalls all of them. A seed names one history, for ever: nothing but `random.Random(seed)` is drawn from.
`evidence` then hands all of it to `taskservice.testing.checkers`, which read the log alone, recompute what must have been
decided, and name the invariant that does not hold.

    make simulate SEEDS=2000        many histories
    make simulate SEED=17           one of them, with its whole course
"""
