"""What the service answers: frozen values with the members of the contract, in snake case.

Instants are texts as the service sends them, RFC 3339 in UTC with three decimals; durations are integer milliseconds.
Members that a newer service may add are ignored.
"""

from taskservice.client.values.command import Command
from taskservice.client.values.definition import Definition, DefinitionWarning, Preview, PreviewedFire
from taskservice.client.values.event import Event, EventPage
from taskservice.client.values.fires import (
    Backfill,
    CancelledBackfill,
    DisabledSpan,
    LedgerEntry,
    LedgerPage,
)
from taskservice.client.values.instance import (
    TERMINAL,
    Actor,
    Attempt,
    Instance,
    InstanceStatus,
    LogLine,
    Triggered,
    WaitingFor,
)
from taskservice.client.values.page import Count, Page
from taskservice.client.values.problem import FieldError, Problem
from taskservice.client.values.scheduler import Partition, SchedulerStatus
from taskservice.client.values.worker import Handler, Worker

__all__ = [
    "TERMINAL",
    "Actor",
    "Attempt",
    "Backfill",
    "CancelledBackfill",
    "Command",
    "Count",
    "Definition",
    "DefinitionWarning",
    "DisabledSpan",
    "Event",
    "EventPage",
    "FieldError",
    "Handler",
    "Instance",
    "InstanceStatus",
    "LedgerEntry",
    "LedgerPage",
    "LogLine",
    "Page",
    "Partition",
    "Preview",
    "PreviewedFire",
    "Problem",
    "SchedulerStatus",
    "Triggered",
    "WaitingFor",
    "Worker",
]
