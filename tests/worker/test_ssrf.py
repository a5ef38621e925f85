"""The whole way of a request that somebody defined in order to reach what only the worker can reach: none arrives.

Every address of the guard's table is asked for as a number in the URL, and behind a name; and every spelling of an
inner address that a resolver understands. What would be connected to is recorded at the transport.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
from tests.worker.test_http import REACHABLE, REFUSED, context, resolving

from taskservice.worker.built_in.http import HttpCall
from taskservice.worker.built_in.pinned import Guard

ADDRESSES = [address for address, _ in REFUSED if address != "no address"]
SPELLINGS = [
    "0",
    "0.0.0.0",
    "127.1",
    "127.0.1",
    "127.000.000.001",
    "0177.0.0.1",
    "0177.0000.0000.0001",
    "017700000001",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0x7F.0x0.0x0.0x1",
    "0x7f.0.0.01",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "127.0.0.1.",
    "10.1",
    "012.0.0.1",
    "0xa9fea9fe",
    "2852039166",
    "169.254.43518",
    "192.168.1",
    "3232235777",
    "127。0。0。1",
    "１２７.0.0.1",
    "①②⑦.⓪.⓪.①",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::10.0.0.1]",
    "[2002:7f00:1::]",
    "[2001:0:4136:e378:8000:63bf:807f:fffe]",
    "[fe80::1%25lo]",
    "[fd00:ec2::254]",
]
TRICKS = [
    "http://good.test@127.0.0.1/",
    "http://good.test:80@127.0.0.1/",
    "http://127.0.0.1#@good.test/",
    "http://127.0.0.1?@good.test/",
    "http://good.test\\@127.0.0.1/",
    "http://127.0.0.1\\@good.test/",
    "http:///127.0.0.1/",
    "http:127.0.0.1/",
    "//127.0.0.1/",
    "http://good.test%00.127.0.0.1/",
    "http://127.0.0.1%2f@good.test/",
    "http://[::ffff:127.0.0.1]:80@good.test/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "ftp://127.0.0.1/",
    "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
]


class Recorder(httpx.AsyncBaseTransport):
    """Connects to nobody, and remembers to whom it should have."""

    def __init__(self) -> None:
        self.reached: list[tuple[str, str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.reached.append((request.url.host, request.headers["Host"]))
        return httpx.Response(200, stream=httpx.ByteStream(b"ok"))


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("port", ["", ":80", ":8084", ":6379"])
async def test_no_inner_address_is_reached_by_its_number(address: str, port: str) -> None:
    transport = Recorder()
    host = f"[{address.replace('%', '%25')}]" if ":" in address else address

    outcome = await HttpCall(Guard(()), transport=transport).run(context(url=f"http://{host}{port}/latest/meta-data"))

    assert not outcome.ok
    assert transport.reached == []


@pytest.mark.parametrize("address", ADDRESSES)
async def test_no_inner_address_is_reached_behind_a_name(address: str) -> None:
    transport = Recorder()
    resolver = resolving(inner=(address,), first=("8.8.8.8", address), last=(address, "8.8.8.8"))
    caller = HttpCall(Guard((), resolver), transport=transport)

    for name in ("inner", "first", "last"):
        outcome = await caller.run(context(url=f"https://{name}.test/"))
        assert (outcome.error_type, outcome.retry) == ("HttpRefused", False)
    assert transport.reached == []


@pytest.mark.parametrize("host", SPELLINGS)
async def test_no_spelling_of_an_inner_address_is_reached(host: str) -> None:
    transport = Recorder()

    outcome = await HttpCall(Guard(()), transport=transport).run(context(url=f"http://{host}/"))

    assert not outcome.ok
    assert transport.reached == []


@pytest.mark.parametrize("url", TRICKS)
async def test_no_trick_with_the_url_reaches_an_inner_address(url: str) -> None:
    transport = Recorder()
    caller = HttpCall(Guard(()), transport=transport)

    assert not (await caller.run(context(url=url))).ok
    assert transport.reached == []


@pytest.mark.parametrize("address", REACHABLE)
async def test_addresses_of_the_open_internet_are_reached(address: str) -> None:
    transport = Recorder()
    host = f"[{address}]" if ":" in address else address

    outcome = await HttpCall(Guard(()), transport=transport).run(context(url=f"http://{host}/"))

    assert outcome.ok
    assert [reached for reached, _ in transport.reached] == [address]


async def test_a_name_that_turns_inward_after_the_look_is_not_followed() -> None:
    transport = Recorder()
    answers = [["8.8.8.8"], ["127.0.0.1"]]

    async def rebinding(host: str, port: int) -> Sequence[str]:
        del host, port
        return answers.pop(0)

    caller = HttpCall(Guard((), rebinding), transport=transport)
    first = await caller.run(context(url="http://turns.test/"))
    second = await caller.run(context(url="http://turns.test/"))

    assert first.ok
    assert transport.reached == [("8.8.8.8", "turns.test")], "the address that was checked, not a name to look up again"
    assert second.error_type == "HttpRefused"


async def test_what_the_configuration_allows_is_reached_and_nothing_beside_it() -> None:
    transport = Recorder()
    caller = HttpCall(Guard(["10.0.0.5:8080", "api.test:443"], resolving(api=("10.0.0.6",))), transport=transport)
    by_number = HttpCall(Guard(["10.0.0.5:8080"]), transport=transport)

    assert (await by_number.run(context(url="http://10.0.0.5:8080/"))).ok
    assert (await caller.run(context(url="https://api.test/"))).ok
    for url in ("http://10.0.0.5/", "http://10.0.0.5:8081/", "http://10.0.0.6:8080/"):
        assert (await by_number.run(context(url=url))).error_type == "HttpRefused"
    assert (await caller.run(context(url="http://api.test/"))).error_type == "HttpRefused"
    assert [reached for reached, _ in transport.reached] == ["10.0.0.5", "10.0.0.6"]


async def test_a_refusal_says_what_the_address_is_and_where_it_may_be_listed() -> None:
    outcome = await HttpCall(Guard(())).run(context(url="http://127.0.0.1:29728/health/ready"))

    assert outcome.message == (
        "127.0.0.1:29728 is a loopback address, which tasks may not call; app.task.http.allow of the worker may list it"
    )


@pytest.fixture
async def dripping() -> AsyncIterator[int]:
    """A server that never comes to an end: a byte now and then; answers its port."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)  # the pace of a slow peer is what is tested
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_an_answer_in_drops_ends_at_the_time_cap(dripping: int) -> None:
    caller = HttpCall(Guard([f"127.0.0.1:{dripping}"]))
    outcome = await caller.run(context(url=f"http://127.0.0.1:{dripping}/", timeoutMs=200))

    assert (outcome.error_type, outcome.message) == ("HttpTimeout", "no answer within 200 ms")
