"""The client: one method a route."""

from types import TracebackType
from typing import Final, Self

import httpx

from taskservice.client.definition_routes import DefinitionRoutes
from taskservice.client.event_routes import EventRoutes
from taskservice.client.fire_routes import FireRoutes
from taskservice.client.instance_routes import InstanceRoutes
from taskservice.client.service_routes import ServiceRoutes
from taskservice.client.transport import Transport

TIMEOUT_S: Final = 15.0
"""Above the 5 s for which the service waits for an outcome."""
PATIENCE_S: Final = 30.0


class Client(DefinitionRoutes, FireRoutes, InstanceRoutes, EventRoutes, ServiceRoutes):
    """Speaks with one service under one API key. Used as an async context manager.

    Every method raises `UnreachableError` when no answer came and `ApiError` when the service refused; writes raise
    `StillPendingError` when they were accepted and not decided within `patience_s`.

    Reads, POSTs (each goes under an idempotency key) and whatever else is harmless to repeat are sent again when the
    service says 429 or 503 with `Retry-After` of at most 10 s, up to four times in all, and once when a connection
    breaks.

    :param url: where the service answers, `http://host:port`.
    :param timeout_s: of one request. :param patience_s: for the outcome of a write that was answered with 202.
    :param transport: how requests travel; None = over the network.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout_s: float = TIMEOUT_S,
        patience_s: float = PATIENCE_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(Transport(url, api_key, timeout_s=timeout_s, patience_s=patience_s, transport=transport))
        self.url = self._transport.url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.close()
