"""The ticker: several run, one leads a partition. The leader is the only writer of the event log.

::

    ticker         the roles: load, follow the log, be elected, lead, step down
    follower       folds the log into the State, so that taking over costs no load
    candidate      what the election asks of a ticker
    leader         the loop of a leadership: inbox, clock, room -> events -> append
    intake         inbox entries on their way to the arbiter: what is read, what is decided, what is proved
    decoding       inbox entries -> items
    appender       batches in flight, in order, resent when their answer got lost
    surveyor       each second: workers, streams, consumers, the server
    sightings      whose beat stands still (pure)
    windows        how much may lie in dispatch streams (pure)
    upkeep         what goes along with appends: idle streams, gone consumers, the inbox's trim
    tally          what is told: counts of the last five minutes, and since the takeover
    stream_lengths how many entries lie in the streams
    redis_time     the time of Redis on the monotonic clock, and whether the clocks agree
    metrics        what its health port exports

Decisions are made by `taskservice.domain.decide`; nothing here knows why an event is decided. Nothing outside is told
before the log has it.
"""
