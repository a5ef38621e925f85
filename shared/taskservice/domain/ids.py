"""Identifiers: UUIDs in their 36-character lower-case form, ordered by time.

Definitions and commands are UUIDv7. Instances and log lines are UUIDv8: 48 bits of time in milliseconds, then a hash
of what they stand for, so that deciding, or sending, the same thing twice names the same row, and rows lie in the
order of time. Nothing here reads a clock or draws a random number.
"""

import re
import zlib
from hashlib import blake2b

_TIME_MASK = (1 << 48) - 1
_HIGH_MASK = ((1 << 12) - 1) << 64
_LOW_MASK = (1 << 62) - 1
_VERSION_7 = 0x7 << 76
_VERSION_8 = 0x8 << 76
_VARIANT = 0x2 << 62
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def uuid7(now_ms: int, random_bytes: bytes) -> str:
    """A UUIDv7 (RFC 9562 §5.7) of the instant `now_ms`.

    :param random_bytes: at least 10 bytes; 74 bits of the first ten are used.
    :raises ValueError: for fewer, since ids would collide.
    """
    if len(random_bytes) < 10:
        raise ValueError(f"a UUIDv7 needs 10 random bytes, not {len(random_bytes)}")
    return _spell(now_ms, _VERSION_7, random_bytes[:10])


def instance_id_of_fire(definition_id: str, instant_ms: int) -> str:
    """The instance of one fire of a definition: the same for the same nominal instant, whoever decides it."""
    return _hashed(instant_ms, f"fire|{definition_id}|{instant_ms}")


def instance_id_of_trigger(command_id: str, index: int, at_ms: int) -> str:
    """The instance of item `index` of a trigger command whose time is `at_ms`."""
    return _hashed(at_ms, f"trigger|{command_id}|{index}")


def instance_id_of_backfill(command_id: str, definition_id: str, instant_ms: int) -> str:
    """The instance of one past instant that a backfill command runs again."""
    return _hashed(instant_ms, f"backfill|{command_id}|{definition_id}|{instant_ms}")


def log_line_id(instance_id: str, attempt: int, sequence: int, time_ms: int) -> str:
    """The id of line `sequence` of an attempt's log: a line sent twice is the same row."""
    return _hashed(time_ms, f"log|{instance_id}|{attempt}|{sequence}")


def partition_of(tenant_id: str, partitions: int) -> int:
    """The partition that a tenant lives in: `crc32(tenant_id) % partitions`, fixed when the service is installed."""
    return zlib.crc32(tenant_id.encode()) % partitions


def time_of(identifier: str) -> int:
    """The time in ms that the first 48 bits of an id are: made at, or the fire time of an instance."""
    return int(identifier[:8] + identifier[9:13], 16)


def is_uuid(text: str) -> bool:
    """Whether `text` is written as every id here is: 36 characters, lower case, hyphens in their places."""
    return _UUID.fullmatch(text) is not None


def _hashed(time_ms: int, name: str) -> str:
    return _spell(time_ms, _VERSION_8, blake2b(name.encode(), digest_size=10).digest())


def _spell(time_ms: int, version: int, tail: bytes) -> str:
    rest = int.from_bytes(tail, "big")
    bits = (time_ms & _TIME_MASK) << 80 | version | rest & _HIGH_MASK | _VARIANT | rest & _LOW_MASK
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
