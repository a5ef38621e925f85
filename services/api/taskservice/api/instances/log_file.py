"""The log of an instance as a text file, read in pages while it is sent."""

from collections.abc import AsyncIterator
from typing import Final

from litestar.response import Stream

from taskservice.api.instances.log_lines import Asked
from taskservice.api.parts import ApiRequest
from taskservice.api.ports import LogRow, ReadModel
from taskservice.domain.instant_text import rfc3339
from taskservice.storage.errors import StorageError

TEXT: Final = "text/plain"
LINES_A_PAGE: Final = 500
"""Of at most 16 KiB each: what one download holds in memory."""


def download(request: ApiRequest, asked: Asked, headers: dict[str, str]) -> Stream:
    """All lines that match, as `<instance id>.log`."""
    name = f"{asked.instance_id}.log"
    return Stream(
        iter(()) if request.facts.is_head else _pages(request.parts.reads, asked),
        headers={**headers, "Content-Disposition": f'attachment; filename="{name}"'},
        media_type=TEXT,
    )


async def _pages(reads: ReadModel, asked: Asked) -> AsyncIterator[str]:
    after = asked.after
    while True:
        try:
            lines = await reads.logs(asked.tenant_id, asked.instance_id, asked.wanted, after, LINES_A_PAGE)
        except StorageError as error:  # the status is sent: what is missing can only be told here
            yield f"--- incomplete: the database does not answer ({type(error).__name__}); ask again\n"
            return
        if lines:
            yield "".join(map(text_line, lines))
            after = (lines[-1].attempt, lines[-1].sequence)
        if len(lines) < LINES_A_PAGE:
            return


def text_line(line: LogRow) -> str:
    """`2026-11-23T02:00:00.000Z INFO  [1] message`; further lines of a message are indented, so none can pose as one."""
    message = line.message.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\n    ")
    return f"{rfc3339(line.time)} {line.level:<5} [{line.attempt}] {message}\n"
