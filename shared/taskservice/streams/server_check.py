"""Whether a Redis can be trusted with the log: asked at the start of every api and ticker, and each second by who leads."""

from taskservice.streams.errors import ServerRefusal
from taskservice.streams.redis_client import Link
from taskservice.streams.server import info_fields
from taskservice.streams.server_findings import Finding, findings_in


async def look_at(link: Link) -> tuple[Finding, ...]:
    """What is to be said about the server behind this link; empty = nothing.

    :raises NotSent: it can't be reached.
    """
    facts: dict[str, str] = {}
    for section in ("server", "memory", "persistence"):
        facts |= info_fields(await link.call("INFO", section))
    try:
        answer = await link.call("CONFIG", "GET", "appendfsync")
        facts["appendfsync"] = answer[1].decode() if answer else ""
    except ServerRefusal:
        pass  # managed servers forbid CONFIG; INFO has all but this one
    return findings_in(facts)
