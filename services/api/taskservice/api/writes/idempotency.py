"""`Idempotency-Key`: what the client sent, and what must be equal for two requests to be one."""

import hashlib

from taskservice.api.wire.problems import FieldError, invalid_parameters

HEADER = "Idempotency-Key"
MAX_LENGTH = 255


def read_key(header: str | None) -> str | None:
    """The key, with or without the quotes of the IETF draft; None when there is none.

    :raises ProblemError: `invalid-parameter` for an empty key, one of more than 255 characters, or one that is not
        printable ASCII.
    """
    if header is None:
        return None
    key = header.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not 1 <= len(key) <= MAX_LENGTH or not (key.isascii() and key.isprintable()):
        detail = f"{HEADER} must have 1 to {MAX_LENGTH} printable ASCII characters."
        raise invalid_parameters(FieldError(header=HEADER, code="length", detail=detail))
    return key


def body_hash(method: str, path: str, query: bytes, body: bytes) -> str:
    """Hash of the request; two requests under one key are the same when this is."""
    digest = hashlib.sha256()
    for part in (method.encode(), path.encode(), query, body):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()
