"""Automatic retries: whether, and when.

delay = retryDelayMs × 2ⁿ (EXPONENTIAL) or retryDelayMs (FIXED) up to retryMaxDelayMs, ± the jitter share. The jitter
is a hash of instance and attempt, so that every reader of the log computes the same.
"""

from hashlib import blake2b

from taskservice.domain.definition.spec import DefinitionSpec

_UNIT = 1 << 32
MAX_RETRY_AFTER_MS = 86_400_000
"""A handler may put off the next attempt by a day at most."""


def may_retry(spec: DefinitionSpec, failures: int, error_type: str) -> bool:
    """Whether a run that failed `failures` times before this failure, of class `error_type`, is tried again."""
    if failures >= spec.max_retries:
        return False
    if error_type in spec.no_retry_on:
        return False
    return not spec.retry_on or error_type in spec.retry_on


def retry_delay_ms(spec: DefinitionSpec, failures: int, instance_id: str, attempt: int) -> int:
    """How long after failure number `failures + 1` the next attempt waits, in milliseconds."""
    delay = spec.retry_delay_ms
    if spec.retry_backoff == "EXPONENTIAL":
        delay = min(delay << min(failures, 40), spec.retry_max_delay_ms)
    delay = min(delay, spec.retry_max_delay_ms)
    digest = blake2b(f"{instance_id}|{attempt}".encode(), digest_size=4).digest()
    share = int.from_bytes(digest) / _UNIT * 2 - 1
    return max(0, round(delay * (1 + spec.retry_jitter * share)))
