"""From a checked request to an outcome that can be read.

::

    idempotency   the client's key, and the hash of what must be the same under it
    gateway       submit, then wait: decided and projected, or 202
    decisions     command id → outcome, told by the projector's hints and by looking (0.1, 0.5, 2, 5 s)
    backlog       how far the read model is behind, so that nobody waits for what can't come in time
    room          how much of Redis' memory is left for commands: beyond 70 % they are refused
    outcomes      a rejection as a problem, an open command as a 202
"""
