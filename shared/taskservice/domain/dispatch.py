"""The work order that a worker takes from a dispatch stream, and the stream it lies in."""

import hashlib
from typing import Literal, TypeAlias

import msgspec

from taskservice.domain.definition.spec import DefinitionSpec, Isolation


class WorkOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One attempt to be run; JSON in field `d` of the dispatch entry, whose id is that of the dispatching event."""

    instance_id: str
    tenant_id: str
    definition_id: str
    definition_version: int
    task_name: str
    handler: str
    attempt: int
    fire_time: int
    dispatched_at: int
    entry_id: str = ""
    """Of the dispatch entry that carries it: under any other id it is a copy. "" = an older release wrote it."""
    params: str = "{}"
    origin: str = "SCHEDULE"
    isolation: Isolation | None = None
    timeout_ms: int | None = None
    cancel_grace_ms: int = 10_000
    deadline_at: int | None = None
    traceparent: str | None = None
    memory_limit_bytes: int | None = None
    cpu_limit_ms: int | None = None
    environment: dict[str, str] = {}


encode_work_order = msgspec.json.Encoder().encode
decode_work_order = msgspec.json.Decoder(WorkOrder).decode


class StreamInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Who can read a dispatch stream: the value of the registry `task:{p}:streams`."""

    queue: str
    handler: str
    required_labels: dict[str, str] = {}
    isolation: Isolation | None = None
    """The definition's own wish; null = the handler's."""


encode_stream_info = msgspec.json.Encoder().encode
decode_stream_info = msgspec.json.Decoder(StreamInfo).decode


SignalReason: TypeAlias = Literal["cancel", "deadline", "timeout", "lost"]


class CancelSignal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a worker that holds a revoked entry is told through the control stream."""

    reason: SignalReason
    grace_ms: int


encode_cancel_signal = msgspec.json.Encoder().encode
decode_cancel_signal = msgspec.json.Decoder(CancelSignal).decode


def stream_suffix(spec: DefinitionSpec) -> str:
    """`<queue>:<labels hash or ->:<handler>`: definitions with the same suffix share a dispatch stream."""
    if not spec.required_labels and spec.isolation is None:
        return f"{spec.queue}:-:{spec.task_handler}"
    text = "\n".join([spec.isolation or "", *(f"{k}={v}" for k, v in sorted(spec.required_labels.items()))])
    labels_hash = hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
    return f"{spec.queue}:{labels_hash}:{spec.task_handler}"


def stream_info(spec: DefinitionSpec) -> StreamInfo:
    """What the registry says of the stream of this spec."""
    return StreamInfo(
        queue=spec.queue,
        handler=spec.task_handler,
        required_labels=spec.required_labels,
        isolation=spec.isolation,
    )
