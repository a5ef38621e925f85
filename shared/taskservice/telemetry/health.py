"""`/health/live`, `/health/ready` and `/metrics` of a process that serves no other HTTP."""

import asyncio
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, Self

from prometheus_client import REGISTRY, CollectorRegistry

from taskservice.telemetry.exposition import exposition

REQUEST_TIMEOUT_S: Final = 5.0
REQUEST_LINE_LIMIT: Final = 8_192
HEADERS_LIMIT: Final = 100
JSON: Final = "application/json"

Checks = Callable[[], Mapping[str, bool]]
Reasons = Callable[[], Mapping[str, str]]


class HealthServer:
    """A small HTTP server for probes and scrapes: GET and HEAD of three paths, one request a connection.

    :param host: where to listen.
    :param port: 0 = any free one; `port` says which, once started.
    :param ready: names each thing that must hold before work may be sent here, with whether it does.
    :param live: the same for staying alive; a False asks the platform for a restart.
    :param reasons: for people: why a check of `ready` does not hold and what to do, under its name; where that is known.
    :param registry: the metrics that `/metrics` shows.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        ready: Checks,
        live: Checks = dict,
        reasons: Reasons = dict,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._host = host
        self._wanted_port = port
        self._ready = ready
        self._live = live
        self._reasons = reasons
        self._registry = registry
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that it listens on; the wanted one before it is started."""
        if self._server is None or not self._server.sockets:
            return self._wanted_port
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Listen.

        :raises OSError: when the address is taken.
        """
        self._server = await asyncio.start_server(self._serve, self._host, self._wanted_port, limit=REQUEST_LINE_LIMIT)

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                request = await reader.readuntil(b"\r\n")
                accept = ""
                for _ in range(HEADERS_LIMIT):
                    header = await reader.readuntil(b"\r\n")
                    if header == b"\r\n":
                        break
                    name, _, value = header.decode("latin-1").partition(":")
                    if name.strip().lower() == "accept":
                        accept = value
                else:
                    return  # a client that only sends headers gets no answer
            writer.write(self._answer(request, accept))
            await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a client that sends no request in time gets no answer
        finally:
            writer.close()

    def _answer(self, request: bytes, accept: str) -> bytes:
        parts = request.decode("latin-1").split()
        if len(parts) != 3:
            return _response(HTTPStatus.BAD_REQUEST, "text/plain", b"")
        method, target, _ = parts
        if method not in {"GET", "HEAD"}:
            return _response(HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"", "Allow: GET, HEAD\r\n")
        status, kind, body = self._page(target.partition("?")[0], accept)
        return _response(status, kind, body, with_body=method == "GET")

    def _page(self, path: str, accept: str) -> tuple[HTTPStatus, str, bytes]:
        match path:
            case "/health/live":
                return _checks(self._live(), "live")
            case "/health/ready":
                return _checks(self._ready(), "ready", self._reasons())
            case "/metrics":
                text, kind = exposition(self._registry, accept)
                return HTTPStatus.OK, kind, text
            case _:
                return HTTPStatus.NOT_FOUND, "text/plain", b"only /health/live, /health/ready and /metrics are here\n"


def _checks(
    checks: Mapping[str, bool], word: str, reasons: Mapping[str, str] | None = None
) -> tuple[HTTPStatus, str, bytes]:
    good = all(checks.values())
    document: dict[str, object] = {"status": word if good else f"not {word}", "checks": dict(checks)}
    if reasons:
        document["reasons"] = dict(reasons)
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return status, JSON, json.dumps(document).encode() + b"\n"


def _response(status: HTTPStatus, kind: str, body: bytes, headers: str = "", *, with_body: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        f"Cache-Control: no-store\r\nConnection: close\r\n{headers}\r\n"
    )
    return head.encode("latin-1") + (body if with_body else b"")
