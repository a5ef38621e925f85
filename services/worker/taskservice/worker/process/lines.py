"""Output of a process as lines: bounded, whatever it writes. Pure."""

from typing import Final

KEPT_BYTES: Final = 16_000
"""Of one line: with its mark it stays below the 16 KiB of a log line."""


class LineSplitter:
    """Bytes in, lines out. A line that never ends costs no more than its first 16,000 bytes; empty ones are left out."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._cut = 0

    def feed(self, data: bytes) -> list[str]:
        """The lines that these bytes end."""
        *whole, rest = data.split(b"\n")
        lines: list[str] = []
        for piece in whole:
            self._add(piece)
            lines += self.finish()
        self._add(rest)
        return lines

    def finish(self) -> list[str]:
        """What was written after the last line break, as a line, if it was anything."""
        text = bytes(self._kept).rstrip(b"\r").decode("utf-8", errors="replace")
        if self._cut:
            text += f" … [{self._cut} bytes cut]"
        self._kept.clear()
        self._cut = 0
        return [text] if text else []

    def _add(self, piece: bytes) -> None:
        taken = piece[: KEPT_BYTES - len(self._kept)]
        self._kept += taken
        self._cut += len(piece) - len(taken)
