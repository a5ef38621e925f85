"""Ledger entries as the contract shows them. What is absent is null, never left out."""

from typing import Literal, TypeAlias, assert_never

import msgspec

from taskservice.api.fires.walk import Decision, Silence
from taskservice.domain import events as e
from taskservice.domain.events import Actor, FireLimit, SkipReason
from taskservice.domain.instant_text import rfc3339
from taskservice.domain.timeline import DisabledSpan

FireOutcome: TypeAlias = Literal["RAN", "SKIPPED", "UPCOMING"]


class SilenceView(msgspec.Struct, kw_only=True, rename="camel"):
    """A span without a leader: nothing was decided between these two."""

    begin_at: str
    end_at: str


class LedgerEntryView(msgspec.Struct, kw_only=True, rename="camel"):
    """What was decided about one nominal instant, or about `count` of them from `fireTime` to `until`."""

    fire_time: str
    outcome: FireOutcome
    reason: SkipReason | None = None
    until: str | None = None
    count: int | None = None
    task_instance_id: str | None = None
    blocked_by: str | None = None
    limited_by: FireLimit | None = None
    actor: Actor | None = None
    definition_version: int
    position: int | None = None
    decided_at: str | None = None
    silence: SilenceView | None = None


class DisabledSpanView(msgspec.Struct, kw_only=True, rename={"begin": "from", "end": "to"}):
    """A span without due instants. `to` null: it still lasts."""

    begin: str
    end: str | None
    reason: Literal["DISABLED"]
    actor: Actor | None


class LedgerPage(msgspec.Struct, kw_only=True, rename="camel"):
    """A page of the ledger, oldest first, and the spans of the whole range in which nothing was due."""

    items: list[LedgerEntryView]
    ranges: list[DisabledSpanView]
    next_cursor: str | None


def decided_view(decision: Decision, actor: Actor | None) -> LedgerEntryView:
    """A decision.

    :param actor: who stopped the scheduler, of an instant that fell into the stop.
    """
    event = decision.event
    match event:
        case e.InstanceScheduled():
            return LedgerEntryView(
                fire_time=rfc3339(event.fire_time),
                outcome="RAN",
                task_instance_id=event.instance_id,
                definition_version=event.definition_version,
                position=decision.position,
                decided_at=rfc3339(event.ts),
            )
        case e.FireSkipped():
            return LedgerEntryView(
                fire_time=rfc3339(event.first),
                outcome="SKIPPED",
                reason=event.reason,
                until=rfc3339(event.last) if event.count > 1 else None,
                count=event.count if event.count > 1 else None,
                blocked_by=event.blocked_by,
                limited_by=event.limited_by,
                actor=actor,
                definition_version=event.definition_version,
                position=decision.position,
                decided_at=rfc3339(event.ts),
                silence=_silence_view(decision.silence),
            )
        case _:
            assert_never(event)


def upcoming_view(instant: int, version: int) -> LedgerEntryView:
    """An instant that is still to be decided."""
    return LedgerEntryView(fire_time=rfc3339(instant), outcome="UPCOMING", definition_version=version)


def span_view(span: DisabledSpan) -> DisabledSpanView:
    """A disabled span: what the first instant after it may be is strictly later than its end."""
    return DisabledSpanView(
        begin=rfc3339(span.after),
        end=None if span.until is None else rfc3339(span.until),
        reason="DISABLED",
        actor=span.actor,
    )


def _silence_view(silence: Silence | None) -> SilenceView | None:
    return None if silence is None else SilenceView(begin_at=rfc3339(silence.begin), end_at=rfc3339(silence.end))
