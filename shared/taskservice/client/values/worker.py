"""Workers."""

import msgspec


class Handler(msgspec.Struct, frozen=True, kw_only=True):
    """A handler that a worker has; `isolation` ASYNC, THREAD or PROCESS."""

    name: str
    isolation: str


class Worker(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A live worker that serves a queue of the tenant. `slots` and `running` by kind of slot."""

    id: str
    queues: tuple[str, ...]
    handlers: tuple[Handler, ...]
    slots: dict[str, int]
    state: str
    labels: dict[str, str] = {}
    running: int = 0
    started_at: str | None = None
    last_seen_at: str | None = None
    version: str = ""
