"""The built-in handler `http`: one request, judged by its status."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import httpx
import msgspec

from taskservice.clock import SystemClock
from taskservice.worker.built_in.pinned import AddressRefusedError, Guard, at_address
from taskservice.worker.built_in.retry_after import retry_after_ms
from taskservice.worker.context import TaskContext
from taskservice.worker.result import TaskResult

MAX_RESPONSE_BYTES: Final = 1_048_576
"""So much of a body is read; then the connection is closed."""
KEPT_BODY_CHARS: Final = 8_192
"""So much of it stands in the result: below 64 KiB of JSON even when every character is escaped."""
MAX_TIMEOUT_MS: Final = 600_000
KEPT_HEADERS: Final = ("content-type", "content-length", "date", "etag", "location", "retry-after", "x-request-id")
OWN_HEADERS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te"})
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
USER_AGENT: Final = "taskservice"


class HttpParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`taskParams` of an `http` definition.

    `body`: text is sent as it is, any other JSON value as JSON. `expected_status`: one or several; absent = 2xx.
    `timeout_ms`: for all of it, from resolving the name to the last byte.
    """

    url: str
    method: str = "GET"
    headers: dict[str, str] = {}
    body: object = None
    expected_status: int | list[int] | None = None
    timeout_ms: int = 10_000


class HttpCall:
    """Makes the requests.

    :param guard: decides what may be reached.
    :param transport: what connections are made by; None = real ones, made with the first request.
    """

    def __init__(self, guard: Guard, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._guard = guard
        self._transport = transport
        self._made: dict[str, httpx.AsyncBaseTransport] = {}

    def handler(self) -> Callable[[TaskContext], Awaitable[TaskResult]]:
        """The function that the registry gets."""

        async def http(ctx: TaskContext) -> TaskResult:
            return await self.run(ctx)

        return http

    async def run(self, ctx: TaskContext) -> TaskResult:
        """One request, as the context's parameters say."""
        try:
            params = msgspec.convert(ctx.params, HttpParams)
            request = _request(params, ctx)
        except (msgspec.ValidationError, httpx.InvalidURL, ValueError) as error:
            return TaskResult.failure(f"taskParams of http: {error}", retry=False, error_type="HttpParams")
        try:
            async with asyncio.timeout(params.timeout_ms / 1000):
                answer = await self._send(request)
        except AddressRefusedError as error:
            return TaskResult.failure(str(error), retry=False, error_type="HttpRefused")
        except TimeoutError:
            return TaskResult.failure(f"no answer within {params.timeout_ms} ms", error_type="HttpTimeout")
        except (httpx.HTTPError, OSError) as error:
            return TaskResult.failure(f"{type(error).__name__}: {error}", error_type="HttpError")
        return _judge(answer, params.expected_status, SystemClock().now_ms())

    async def _send(self, request: httpx.Request) -> Mapping[str, object]:
        started = asyncio.get_running_loop().time()
        addresses = await self._guard.pinned(request.url)
        transport = await self._transport_for(request.url.scheme)
        for address in addresses[:-1]:
            try:
                return await _exchange(transport, at_address(request, address), started)
            except httpx.ConnectError:
                continue  # the next one was checked as well
        return await _exchange(transport, at_address(request, addresses[-1]), started)

    async def _transport_for(self, scheme: str) -> httpx.AsyncBaseTransport:
        if self._transport is not None:
            return self._transport
        made = self._made.get(scheme)
        if made is None:
            # Reading the authorities takes a third of a second: not on the loop, and not for plain http.
            context = await asyncio.to_thread(_authorities) if scheme == "https" else _no_authority()
            # No pool: a kept connection would outlive the guard's look at its address. No proxy: it would resolve anew.
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
            made = self._made[scheme] = httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits)
        return made


def _authorities() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def _no_authority() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody, should it ever be asked


async def _exchange(
    transport: httpx.AsyncBaseTransport, request: httpx.Request, started: float
) -> Mapping[str, object]:
    response = await transport.handle_async_request(request)
    response.request = request
    body = bytearray()
    complete = True
    try:
        # Raw: "identity" was asked for, and unpacking what came regardless could be 1,000 times its size.
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_RESPONSE_BYTES:
                complete = False
                break
    finally:
        await response.aclose()
    text = bytes(body[:MAX_RESPONSE_BYTES]).decode(response.charset_encoding or "utf-8", errors="replace")
    return {
        "status": response.status_code,
        "headers": {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers},
        "body": text[:KEPT_BODY_CHARS],
        "bodyTruncated": not complete or len(text) > KEPT_BODY_CHARS,
        "elapsedMs": round((asyncio.get_running_loop().time() - started) * 1000),
    }


def _request(params: HttpParams, ctx: TaskContext) -> httpx.Request:
    method = params.method.upper()
    if method not in METHODS:
        raise ValueError(f"method {params.method!r}: one of {', '.join(METHODS)}")
    if not 1 <= params.timeout_ms <= MAX_TIMEOUT_MS:
        raise ValueError(f"timeoutMs: 1 to {MAX_TIMEOUT_MS}")
    # close: a kept connection belongs to an address, and the next name at that address would skip its own TLS check
    headers = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}
    for name, value in params.headers.items():
        if name.lower() in OWN_HEADERS:
            raise ValueError(f"header {name!r} is set by the service")
        headers[name] = value
    if ctx.traceparent is not None:
        headers.setdefault("traceparent", ctx.traceparent)
    body = params.body
    if body is None:
        return httpx.Request(method, params.url, headers=headers)
    if isinstance(body, str):
        return httpx.Request(method, params.url, headers=headers, content=body.encode())
    headers.setdefault("Content-Type", "application/json")
    return httpx.Request(method, params.url, headers=headers, content=msgspec.json.encode(body))


def _judge(answer: Mapping[str, object], expected: int | list[int] | None, now_ms: int) -> TaskResult:
    status = answer["status"]
    if not isinstance(status, int):
        raise TypeError("a status is a number")
    wanted = [expected] if isinstance(expected, int) else expected
    if status in wanted if wanted is not None else 200 <= status < 300:
        return TaskResult.success(answer)
    allowed = "2xx" if wanted is None else ", ".join(map(str, wanted))
    headers = answer["headers"]
    pause = retry_after_ms(status, headers, now_ms) if isinstance(headers, dict) else 0
    return TaskResult.failure(
        f"status {status}, expected {allowed}; body: {answer['body']}", error_type="HttpStatus", retry_after_ms=pause
    )
