"""The projector: turns events into the tables that people read, and archives the log.

One transaction a batch holds the changed rows, the archive segment and the checkpoint; so the read model equals the
fold of the log up to a visible position, which `taskservice verify` proves.

::

    reading     the two streams, page by page, each on a connection of its own
    folding     entry by entry into the State; what rows must say is collected beside it
    batching    a batch in the making, a batch that is ready, and how long one waits for company (window)
    writing     one transaction after another, as often as each takes; hints after the commit
    trimming    what Redis may forget of log and log lines, since the database has it
    projector   puts these together: load, go on until the state is of no use any more, load again

Rows are made while the database runs the batch before. A lock says which of several projectors works; it is the
checkpoint row, locked and compared in each transaction, that keeps a second one from doing harm.
"""
