"""The service's own HTTP client: what the command line uses, and what scripts are written with.

::

    async with Client("http://127.0.0.1:8084", api_key) as client:
        made = await client.create_definition({"taskName": "t", ...})
        run = await client.trigger(made.id, {"day": "2026-11-23"})
        async for line in client.follow_logs(run.id):
            print(line.log_message)
        assert (await client.instance(run.id)).status == "SUCCESS"

Answers are frozen values (`taskservice.client.values`); what the service refuses is an `ApiError` that carries the
problem. What may be sent again is, under idempotency keys; a 202 is waited for. `docs/how-to/script-with-the-client.md`.
"""

from taskservice.client.client import Client
from taskservice.client.errors import ApiError, ClientError, StillPendingError, UnreachableError
from taskservice.client.values import (
    Backfill,
    Command,
    Definition,
    Event,
    EventPage,
    FieldError,
    Instance,
    LedgerEntry,
    LogLine,
    Page,
    Preview,
    Problem,
    SchedulerStatus,
    Triggered,
    Worker,
)

__all__ = [
    "ApiError",
    "Backfill",
    "Client",
    "ClientError",
    "Command",
    "Definition",
    "Event",
    "EventPage",
    "FieldError",
    "Instance",
    "LedgerEntry",
    "LogLine",
    "Page",
    "Preview",
    "Problem",
    "SchedulerStatus",
    "StillPendingError",
    "Triggered",
    "UnreachableError",
    "Worker",
]
