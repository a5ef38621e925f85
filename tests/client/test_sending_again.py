"""What the client sends again, and what it never does."""

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from taskservice.client import ApiError, Client, UnreachableError
from taskservice.client.values import Instance

RUN = {
    "id": "i", "taskDefinitionId": "d", "taskName": "t", "origin": "MANUAL", "fireTime": "2026-11-23T02:00:00.000Z",
    "status": "PENDING", "attempt": 0, "retryCount": 0,
}  # fmt: skip
PAGE: dict[str, object] = {"items": [], "nextCursor": None}


class Service:
    """Answers with what is next in line, and keeps what it was sent."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self) -> Client:
        return Client("http://api", "", transport=httpx.MockTransport(self))


def busy(status: int, retry_after: str | None = "0", code: str = "busy") -> httpx.Response:
    problem = {"code": code, "title": "", "status": status, "detail": "later", "requestId": ""}
    return httpx.Response(status, json=problem, headers={} if retry_after is None else {"Retry-After": retry_after})


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_service_is_asked_again(status: int) -> None:
    service = Service(busy(status), busy(status), busy(status), httpx.Response(200, json=PAGE))

    async with service.client() as client:
        assert (await client.instances()).items == ()

    assert len(service.requests) == 4


async def test_not_for_ever() -> None:
    service = Service(*(busy(503) for _ in range(9)))

    async with service.client() as client:
        with pytest.raises(ApiError, match="503"):
            await client.instances()

    assert len(service.requests) == 4


@pytest.mark.parametrize("retry_after", [None, "11", "soon", "-1"])
async def test_nobody_waits_for_what_is_far_away_or_not_said(retry_after: str | None) -> None:
    service = Service(busy(503, retry_after))

    async with service.client() as client:
        with pytest.raises(ApiError):
            await client.instances()


async def test_a_post_is_sent_again_under_the_same_key_and_another_one_has_another() -> None:
    answers = (busy(503), httpx.Response(201, json=RUN), httpx.Response(201, json=RUN))
    service = Service(*answers)

    async with service.client() as client:
        await client.trigger("d")
        await client.trigger("d")

    first, again, other = (request.headers["Idempotency-Key"] for request in service.requests)
    assert first == again
    assert other != first


async def test_a_broken_connection_is_made_anew_once() -> None:
    once = Service(httpx.ReadError("reset"), httpx.Response(201, json=RUN))
    twice = Service(httpx.RemoteProtocolError("closed"), httpx.ReadError("reset"))

    async with once.client() as client:
        assert isinstance(await client.trigger("d"), Instance)
    async with twice.client() as client:
        with pytest.raises(UnreachableError, match="reset"):
            await client.trigger("d")


@pytest.mark.parametrize(
    "change",
    [
        lambda client: client.patch_definition("d", {}),
        lambda client: client.replace_definition("d", {}, version=3),
        lambda client: client.delete_definition("d", version=3),
    ],
    ids=["patch", "put of a version", "delete of a version"],
)
async def test_what_may_have_been_taken_and_would_then_differ_is_sent_once(
    change: Callable[[Client], Awaitable[object]],
) -> None:
    broken, busy_one = Service(httpx.ReadError("reset")), Service(busy(503))

    async with broken.client() as client:
        with pytest.raises(UnreachableError):
            await change(client)
    async with busy_one.client() as client:
        with pytest.raises(ApiError):
            await change(client)


@pytest.mark.parametrize(("status", "code"), [(429, "limit-reached"), (503, "overloaded")])
async def test_what_was_not_taken_for_sure_is_sent_again(status: int, code: str) -> None:
    service = Service(busy(status, code=code), httpx.Response(204))

    async with service.client() as client:
        await client.delete_definition("d", version=3)

    assert [request.headers["If-Match"] for request in service.requests] == ['"3"', '"3"']


def lines(*numbers: int, end: bool) -> bytes:
    """A stream of log lines, with a heartbeat and an event that this client does not know."""
    text = b"retry: 2000\n\n"
    for number in numbers:
        data = (
            f'{{"id":"{number}","attempt":1,"sequence":{number},"logLevel":"INFO","logMessage":"{number}",'
            '"logTime":"2026-11-23T02:00:00.000Z"}'
        )
        text += f": still here\n\nid: 1-{number}\nevent: log\ndata: {data}\n\nevent: invented\ndata: 5\n\n".encode()
    return text + (b'event: end\ndata: {"status":"SUCCESS"}\n\n' if end else b"")


async def quiet_for_a_while() -> AsyncIterator[bytes]:
    """A stream of a run that says nothing, until the connection is cut."""
    yield b"retry: 2000\n\n"
    yield b": still here\n\n"


def stream(content: bytes | AsyncIterator[bytes]) -> httpx.Response:
    return httpx.Response(200, content=content, headers={"Content-Type": "text/event-stream"})


async def test_lines_are_followed_over_a_broken_stream_from_the_last_one_on() -> None:
    service = Service(stream(lines(1, 2, end=False)), httpx.ReadError("reset"), stream(lines(3, end=True)), busy(500))

    async with service.client() as client:
        told = [line.sequence async for line in client.follow_logs("i", level="INFO")]

    assert told == [1, 2, 3]
    assert [request.headers.get("Last-Event-ID") for request in service.requests] == [None, "1-2", "1-2"]
    assert {str(request.url.query, "ascii") for request in service.requests} == {"level=INFO&follow=true"}


async def test_a_stream_that_is_refused_or_breaks_for_good_ends_with_the_reason() -> None:
    refused = Service(busy(404, None))
    never_there = Service(httpx.ConnectError("nobody there"))
    gone = Service(stream(lines(1, end=False)), *(httpx.ConnectError("nobody there any more") for _ in range(9)))

    async with refused.client() as client:
        with pytest.raises(ApiError, match="404"):
            _ = [line async for line in client.follow_logs("i")]
    async with never_there.client() as client:
        with pytest.raises(UnreachableError, match="nobody there"):
            _ = [line async for line in client.follow_logs("i")]
    async with gone.client() as client:
        with pytest.raises(UnreachableError, match="any more"):
            _ = [line async for line in client.follow_logs("i")]

    assert (len(never_there.requests), len(gone.requests)) == (1, 5)


async def test_a_run_that_says_nothing_is_followed_over_any_number_of_cuts() -> None:
    service = Service(*(stream(quiet_for_a_while()) for _ in range(6)), stream(lines(1, end=True)))

    async with service.client() as client:
        told = [line.sequence async for line in client.follow_logs("i")]

    assert told == [1]


@pytest.mark.parametrize("greeting", [b"", b"retry: 2000\n\n"], ids=["nothing", "a greeting"])
async def test_a_stream_that_always_ends_early_is_not_asked_for_ever(greeting: bytes) -> None:
    service = Service(stream(lines(1, end=False)), *(stream(greeting) for _ in range(9)))

    async with service.client() as client:
        with pytest.raises(UnreachableError, match="again and again"):
            _ = [line async for line in client.follow_logs("i")]

    assert len(service.requests) == 5


async def test_a_tail_bears_a_service_that_is_away_for_a_moment() -> None:
    service = Service(
        httpx.Response(200, json=PAGE, headers={"Task-Position": "7"}),
        httpx.ConnectError("starting anew"),
        httpx.Response(200, json={"items": [event(9)], "nextCursor": None}, headers={"Task-Position": "12"}),
        httpx.Response(200, json={"items": [event(13)], "nextCursor": None}, headers={"Task-Position": "13"}),
    )

    async with service.client() as client:
        tail = client.tail(after=3, every_s=0)
        told = [(await anext(tail)).position, (await anext(tail)).position]

    assert told == [9, 13]
    assert [request.url.params["after"] for request in service.requests] == ["3", "7", "7", "12"]


def event(position: int) -> dict[str, object]:
    return {
        "id": f"0-1-{position}", "source": "/s", "type": "taskservice.X", "subject": "scheduler",
        "time": "2026-11-23T02:00:00.000Z", "sequence": f"{position:020d}",
    }  # fmt: skip
