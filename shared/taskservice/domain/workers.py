"""What a worker says of itself with every beat: a field of `task:{p}:workers`."""

from typing import Literal

import msgspec

from taskservice.domain.definition.spec import Isolation
from taskservice.domain.dispatch import StreamInfo


class HandlerInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A handler that the worker has, and the kind of slot it runs in.

    `others`: kinds in which it can run as well, if a definition's own `isolation` asks for one of them.
    """

    name: str
    isolation: Isolation
    others: tuple[Isolation, ...] = ()


class WorkerInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """`beat` counts up with every beat: a number that stands still is a worker that is gone."""

    id: str
    beat: int
    queues: tuple[str, ...]
    handlers: tuple[HandlerInfo, ...]
    slots: dict[Isolation, int]
    node: str
    version: str
    started_at: int
    labels: dict[str, str] = {}
    queue_capacity: int = 1_000
    running: int = 0
    state: Literal["ACTIVE", "DRAINING"] = "ACTIVE"
    not_pending: tuple[str, ...] = ()
    """Dispatch entries it runs that, after a reconnect, are no longer pending to it, and for a while those that it had
    ended shortly before: where the leader finds the attempt open, deliveries or reports were lost.
    """


encode_worker = msgspec.json.Encoder().encode
decode_worker = msgspec.json.Decoder(WorkerInfo).decode


def slot_kind(worker: WorkerInfo, stream: StreamInfo) -> Isolation | None:
    """The kind of slot in which this worker would run what lies in the stream; None = it can't run it."""
    if worker.state != "ACTIVE" or stream.queue not in worker.queues:
        return None
    if any(worker.labels.get(key) != value for key, value in stream.required_labels.items()):
        return None
    for handler in worker.handlers:
        if handler.name == stream.handler:
            kind = stream.isolation or handler.isolation
            fits = kind == handler.isolation or kind in handler.others
            return kind if fits and worker.slots.get(kind, 0) > 0 else None
    return None
