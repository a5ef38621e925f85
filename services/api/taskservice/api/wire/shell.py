"""What surrounds every request: its id, its trace, the headers that each answer has, and one access line.

It stands outside of the router, so that answers of the framework itself (404, 405, 413) pass through it as well.
HEAD is served as the GET without its body. OPTIONS is answered with `Allow` alone, to everybody, as the OpenAPI
document is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final, NoReturn, Protocol, TypeAlias

import structlog

from taskservice.api.wire.draining import drain, has_body
from taskservice.api.wire.trace import request_id, traceparent
from taskservice.clock import Clock

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

STATE_KEY = "taskservice_facts"
EVENT_STREAM: Final = b"text/event-stream"
REFUSED: Final = 400
"""From this status on a request was refused, perhaps before its body was read."""
ROUTED_AS = {"HEAD": "GET", "OPTIONS": "TRACE"}
"""What the router is asked for instead. No resource has TRACE: the refusal names the methods that there are."""

_access = structlog.get_logger("taskservice.api.access")


class Place(Protocol):
    """What a request holds while it is under way. `body_s`: how long its body may take."""

    body_s: float

    def read(self, size: int) -> None:
        """So many more bytes of its body have come; may raise."""
        ...

    def too_slow(self) -> NoReturn:
        """Its body took longer; raises."""
        ...

    def cut_off(self) -> NoReturn:
        """The client has gone before its body came whole; raises."""
        ...

    def leave(self) -> None:
        """It is answered."""
        ...


class RequestFacts:
    """What is known of a request beside its content. `tenant_id` and `key_id` are set once it is authenticated."""

    __slots__ = ("is_head", "key_id", "place", "problem", "request_id", "tenant_id", "traceparent")

    def __init__(self, request_id: str, traceparent: str, *, is_head: bool = False) -> None:
        self.is_head = is_head
        self.request_id = request_id
        self.traceparent = traceparent
        self.tenant_id = ""
        self.key_id = ""
        self.problem = ""
        self.place: Place | None = None
        """Among the requests that are under way, once it has one."""


def facts_of(scope: Mapping[str, Any]) -> RequestFacts:
    """The facts of the request with this scope."""
    facts = scope["state"][STATE_KEY]
    if not isinstance(facts, RequestFacts):
        raise TypeError(f"not the facts of a request: {facts!r}")
    return facts


class _Body:
    """What comes of a request: counted, and within a time.

    :ivar unread: some of it was not read yet.
    """

    def __init__(self, scope: Scope, receive: Receive, facts: RequestFacts) -> None:
        self._receive = receive
        self._facts = facts
        self._until: float | None = None
        self.unread = has_body(scope)

    async def receive(self) -> Message:
        """The next message. Raises as its place does."""
        place = self._facts.place
        message = await (self._receive() if place is None or not self.unread else self._in_time(place))
        if message["type"] == "http.request":
            self.unread = self.unread and message.get("more_body", False)
            if place is not None:
                place.read(len(message.get("body", b"")))
        elif self.unread:
            self.unread = False
            if place is not None:
                place.cut_off()
        return message

    async def _in_time(self, place: Place) -> Message:
        if self._until is None:
            self._until = asyncio.get_running_loop().time() + place.body_s
        try:
            async with asyncio.timeout_at(self._until):
                return await self._receive()
        except TimeoutError:
            place.too_slow()


class Shell:
    """The outermost layer.

    :param inner: the router. :param random_bytes: as many unpredictable bytes as it is asked for.
    :param observe: told method, status, ms to the begin of the answer, route template and problem of each request.
    """

    def __init__(
        self,
        inner: Any,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        observe: Callable[[str, int, int, str, str], None],
    ) -> None:
        self.inner = inner
        self._clock = clock
        self._random_bytes = random_bytes
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        begin = self._clock.monotonic_ms()
        facts = self._facts(scope)
        status = 0
        answered = begin
        method = scope["method"]
        # A copy: the server reads the method in its own, to know that the answer to HEAD has no body.
        scope = {**scope, "method": ROUTED_AS.get(method, method)}

        body = _Body(scope, receive, facts)

        async def send_with_headers(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                if body.unread and message["status"] >= REFUSED:
                    await drain(receive)
                if method == "OPTIONS" and message["status"] == 405:
                    message["status"], message["headers"] = 204, _only_allow(message["headers"])
                status, answered = message["status"], self._clock.monotonic_ms()
                message["headers"] = self._headers(list(message.get("headers", ())), facts)
                if facts.place is not None and _is_event_stream(message["headers"]):
                    facts.place.leave()
            elif method == "HEAD" or status == 204:
                message["body"] = b""
            await send(message)

        try:
            await self.inner(scope, body.receive, send_with_headers)
        finally:
            if facts.place is not None:
                facts.place.leave()
            duration_ms = (answered if status else self._clock.monotonic_ms()) - begin
            self._observe(method, status, duration_ms, str(scope.get("path_template") or ""), facts.problem)
            _access.info(
                "request",
                method=method,
                path=scope["path"],
                status=status,
                ms=duration_ms,
                request_id=facts.request_id,
                tenant=facts.tenant_id,
                key=facts.key_id,
                problem=facts.problem,
            )

    def _facts(self, scope: Scope) -> RequestFacts:
        sent: dict[bytes, bytes] = dict(scope["headers"])
        given_id = sent.get(b"x-request-id", b"").decode("latin-1") or None
        given_trace = sent.get(b"traceparent", b"").decode("latin-1") or None
        random_bytes = self._random_bytes(40)
        facts = RequestFacts(
            request_id(given_id, self._clock.now_ms(), random_bytes[:16]),
            traceparent(given_trace, random_bytes[16:]),
            is_head=scope["method"] == "HEAD",
        )
        scope.setdefault("state", {})[STATE_KEY] = facts
        return facts

    @staticmethod
    def _headers(headers: list[tuple[bytes, bytes]], facts: RequestFacts) -> list[tuple[bytes, bytes]]:
        headers = [(name, _allowed(value) if name.lower() == b"allow" else value) for name, value in headers]
        names = {name.lower() for name, _ in headers}
        headers.append((b"x-request-id", facts.request_id.encode()))
        headers.append((b"traceparent", facts.traceparent.encode()))
        headers.append((b"x-content-type-options", b"nosniff"))
        if b"cache-control" not in names:
            headers.append((b"cache-control", b"no-store"))
        return headers


def _is_event_stream(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name.lower() == b"content-type" and value.startswith(EVENT_STREAM) for name, value in headers)


def _only_allow(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name.lower() == b"allow"]


def _allowed(methods: bytes) -> bytes:
    """The methods of an `Allow` header in order, with HEAD beside GET."""
    names = {name.strip() for name in methods.split(b",")}
    return b", ".join(sorted(names | ({b"HEAD"} if b"GET" in names else set())))
