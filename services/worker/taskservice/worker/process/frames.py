"""Messages on a stream socket: four bytes of length, then msgpack."""

from typing import Final

MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
LENGTH_BYTES: Final = 4


class BrokenFrameError(Exception):
    """The other side does not speak this protocol (any more)."""


def frame(payload: bytes) -> bytes:
    """`payload` with its length before it."""
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload


def length_of(header: bytes | bytearray) -> int:
    """The length that a header says.

    :raises BrokenFrameError: longer than any message is.
    """
    length = int.from_bytes(header, "big")
    if length > MAX_FRAME_BYTES:
        raise BrokenFrameError(f"a frame of {length} bytes")
    return length


class FrameBuffer:
    """Bytes as they arrive, and the whole frames in them."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that are complete now.

        :raises BrokenFrameError: a length that no message has.
        """
        self._data += data
        found: list[bytes] = []
        while len(self._data) >= LENGTH_BYTES:
            end = LENGTH_BYTES + length_of(self._data[:LENGTH_BYTES])
            if len(self._data) < end:
                break
            found.append(bytes(self._data[LENGTH_BYTES:end]))
            del self._data[:end]
        return found
