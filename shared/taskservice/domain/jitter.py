"""Jitter: a fire starts up to `jitterMs` after its nominal instant, so that not everything starts at the full minute.

It is a hash of definition and instant: every reader of the log computes the same, and a second decision of the same
fire starts at the same time. The ledger and the instance's id keep the nominal instant.
"""

from hashlib import blake2b


def jitter_of(definition_id: str, instant: int, at_most_ms: int) -> int:
    """How long after `instant` the fire starts: 0 to `at_most_ms` milliseconds, each as likely as the others."""
    if at_most_ms == 0:
        return 0
    digest = blake2b(f"jitter|{definition_id}|{instant}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % (at_most_ms + 1)
