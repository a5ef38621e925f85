"""The projector: turns events into the tables that people read, and archives the log.

One transaction a batch holds the changed rows, the archive segment and the checkpoint; so the read model equals the
fold of the log up to a visible position, which `taskservice verify` proves.
"""
