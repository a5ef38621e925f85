"""Cursors of lists: opaque, and bound to the filters of the list that gave them."""

import base64
import binascii
import hashlib

import msgspec


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    binding: str
    after: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Cursor, strict=True).decode


def make_cursor(after: str, *filters: object) -> str:
    """The cursor that goes on after the row whose sort key is `after`, under the same filters only."""
    text = _encode(_Cursor(binding=_binding(filters), after=after))
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def read_cursor(cursor: str, *filters: object) -> str | None:
    """The sort key that the cursor holds; None when it is no cursor, or one of another list or other filters."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = _decode(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeEncodeError, UnicodeDecodeError, msgspec.DecodeError):
        return None
    return found.after if found.binding == _binding(filters) else None


def _binding(filters: tuple[object, ...]) -> str:
    return hashlib.blake2b(repr(filters).encode(), digest_size=9).hexdigest()
