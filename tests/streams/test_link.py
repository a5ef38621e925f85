"""A link: answers in order, no retries, and precise about what is known after a failure."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
import redis
import uvloop
from tests.streams.wires import proxy_to, server_that_reads_no_more, server_that_resets_after, server_that_says

from taskservice.localstack.ports import any_free
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.errors import NotSent, NotServed, OutcomeUnknown, ServerRefusal
from taskservice.streams.keys import Keys
from taskservice.streams.redis_client import Link, ReadLinks
from taskservice.testing.waiting import wait_until


@pytest.fixture
async def link(redis_url: str) -> AsyncIterator[Link]:
    made = Link(redis_url)
    yield made
    await made.close()


def kill_clients(url: str, name: str) -> None:
    """Redis ends all connections of this name."""
    with redis.Redis.from_url(url) as raw:
        for client in raw.client_list():
            if client["name"] == name:
                raw.client_kill_filter(_id=client["id"])


async def test_calls_are_sent_in_the_order_in_which_they_are_made(link: Link) -> None:
    pushed = [asyncio.create_task(link.call("RPUSH", "test:list", number)) for number in range(500)]

    assert await asyncio.gather(*pushed) == list(range(1, 501))
    assert await link.call("LRANGE", "test:list", 0, -1) == [str(number).encode() for number in range(500)]
    assert link.connections_made == 1


async def test_nothing_is_sent_without_a_server() -> None:
    link = Link(f"redis://user:secret@127.0.0.1:{any_free()}/0")

    with pytest.raises(NotSent) as caught:
        await link.call("PING")

    assert "secret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


async def test_a_refused_login_is_not_sent(redis_url: str) -> None:
    link = Link(redis_url.replace("redis://", "redis://nobody:wrong@"))

    with pytest.raises(NotSent, match=r"refused|no connection"):
        await link.call("PING")


async def test_an_answer_that_is_swallowed_leaves_the_outcome_unknown_and_nothing_is_sent_twice(redis_url: str) -> None:
    async with proxy_to(redis_url) as proxy:
        database = redis_url.rpartition("/")[2]
        link = Link(f"redis://127.0.0.1:{proxy.port}/{database}")
        await link.call("SET", "test:n", 0)
        proxy.half = True

        with pytest.raises(OutcomeUnknown, match=r"0\.1 s"):
            await link.call("INCR", "test:n", timeout_s=0.1)

        proxy.half = False
        assert await link.call("GET", "test:n") == b"1"
        assert link.connections_made == 2
        await link.close()


async def test_a_frozen_server_that_still_accepts_connections_is_no_server(redis_url: str) -> None:
    async with proxy_to(redis_url) as proxy:
        proxy.half = True
        link = Link(f"redis://127.0.0.1:{proxy.port}/0", connect_timeout_s=0.1)

        with pytest.raises(NotSent):
            await asyncio.wait_for(link.call("PING"), 20)


async def test_who_waits_for_a_connection_that_is_tried_in_vain_does_not_try_again_after_all_others(
    redis_url: str,
) -> None:
    """With each trying for itself the last of these would wait 20 s, and of as many requests as an api holds an hour."""
    calls = 20
    async with proxy_to(redis_url) as proxy:
        proxy.half = True
        link = Link(f"redis://127.0.0.1:{proxy.port}/0", connect_timeout_s=1.0)
        begun = proxy.accepted

        answers = await asyncio.gather(*(link.call("PING") for _ in range(calls)), return_exceptions=True)

        assert [type(answer) for answer in answers] == [NotSent] * calls
        assert "no answer within 1 s" in str(answers[-1])
        assert proxy.accepted - begun == 1
        proxy.half = False
        assert await link.call("PING") == b"PONG", "the next one tries again"
        await link.close()


@pytest.mark.fault("F22", invariants="I8")
async def test_what_a_server_does_not_take_off_its_connection_is_given_up_in_time() -> None:
    """A large command fills the sockets' buffers; whoever waits behind it must not wait for ever."""
    async with server_that_reads_no_more(welcomes=2) as port:  # the connection's name, and the first call
        link = Link(f"redis://127.0.0.1:{port}/0")
        assert await link.call("PING") == b"OK"
        large = asyncio.ensure_future(link.call("SET", "test:key", b"x" * 50_000_000, timeout_s=0.5))
        behind = asyncio.ensure_future(link.call("PING", timeout_s=0.5))

        with pytest.raises(OutcomeUnknown, match=r"0\.5 s"):
            async with asyncio.timeout(30):
                await large
        async with asyncio.timeout(30):
            assert await behind == b"OK"  # over a connection of its own
        await link.close()


async def test_what_is_owed_when_a_connection_ends_is_unknown_to_all(link: Link, redis_url: str) -> None:
    blocked = [asyncio.create_task(link.call("BLPOP", "test:none", 0)) for _ in range(3)]

    async def blocking() -> bool:
        with redis.Redis.from_url(redis_url) as raw:
            return any(client["cmd"] == "blpop" for client in raw.client_list())

    await wait_until(blocking, "the call to block")
    kill_clients(redis_url, "taskservice")

    outcomes = await asyncio.gather(*blocked, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown] * 3
    assert await link.call("PING") == b"PONG"


async def test_a_connection_that_ended_while_idle_is_replaced_in_silence(link: Link, redis_url: str) -> None:
    await link.call("PING")
    kill_clients(redis_url, "taskservice")

    async def answered_by_a_new_one() -> bool:
        try:
            await link.call("PING")
        except OutcomeUnknown:
            return False
        return link.connections_made == 2

    await wait_until(answered_by_a_new_one, "a new connection")


async def test_a_cancelled_caller_disturbs_nobody(link: Link) -> None:
    first = asyncio.create_task(link.call("ECHO", "first"))
    second = asyncio.create_task(link.call("ECHO", "second"))
    third = asyncio.create_task(link.call("ECHO", "third"))
    await link.call("ECHO", "fourth")
    second.cancel()

    assert (await first, await third) == (b"first", b"third")
    assert link.connections_made == 1


async def test_a_cancelled_blocking_read_leaves_no_answer_behind(redis_url: str) -> None:
    reads = ReadLinks(redis_url)
    for _ in range(3):
        reading = asyncio.create_task(reads.call("BLPOP", "test:none", 30, block_ms=30_000))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reading, 0.05)

    assert await asyncio.wait_for(reads.call("PING", block_ms=0), 20) == b"PONG"
    await reads.close()


async def test_blocking_reads_do_not_wait_for_each_other(redis_url: str) -> None:
    reads = ReadLinks(redis_url)
    waiting = [asyncio.create_task(reads.call("BLPOP", f"test:{n}", 30, block_ms=30_000)) for n in range(3)]

    assert await asyncio.wait_for(reads.call("PING", block_ms=0), 20) == b"PONG"

    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    await reads.close()


async def test_an_error_answer_says_its_code_and_the_link_goes_on(link: Link) -> None:
    await link.call("SET", "test:text", "x")

    with pytest.raises(ServerRefusal) as caught:
        await link.call("LPUSH", "test:text", "x")

    assert caught.value.code == "WRONGTYPE"
    assert await link.call("GET", "test:text") == b"x"
    assert link.connections_made == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"-READONLY You can't write against a read only replica.",
        b"-MISCONF Errors writing to the AOF file: No space left on device",
        b"-NOREPLICAS Not enough good replicas to write.",
        b"-BUSY Redis is busy running a script.",
        b"-MASTERDOWN Link with MASTER is down",
    ],
    ids=lambda answer: answer.split()[0].decode(),
)
async def test_a_server_that_cannot_serve_executed_nothing(answer: bytes) -> None:
    async with server_that_says(answer, welcomes=1) as port:
        link = Link(f"redis://127.0.0.1:{port}/0")  # one welcome: CLIENT SETNAME

        with pytest.raises(NotServed):
            await link.call("SET", "test:x", "y")
        await link.close()


async def test_a_master_that_was_demoted_is_left_for_whoever_answers_at_its_address_now() -> None:
    """It keeps its connections, and would refuse every write over them for ever."""
    async with server_that_says(b"-READONLY You can't write against a read only replica.", welcomes=1) as port:
        link = Link(f"redis://127.0.0.1:{port}/0")
        answers = await asyncio.gather(*(link.call("SET", "test:x", n) for n in range(3)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [NotServed] * 3, "each knows that nothing was executed"
        assert link.connections_made == 1

        with pytest.raises(NotServed):
            await link.call("SET", "test:x", "y")

        assert link.connections_made == 2
        await link.close()


def test_a_connection_that_is_reset_within_a_turn_of_the_loop_is_lost_like_any_other() -> None:
    """The loop of the services refuses, with an error of its own, to write to a transport that it has closed.

    A call meets that when it is made in the one turn in which the loop knows of the reset and the link does not. Which
    turn that is depends on what the kernel hands over at once: so each distance is tried many times.
    """
    answers: list[object] = []

    async def call_again_and_again(port: int) -> None:
        link = Link(f"redis://127.0.0.1:{port}/0")
        for number in range(2_000):
            for _ in range(number % 5):
                await asyncio.sleep(0)
            try:
                answers.append(await link.call("PING"))
            except Exception as error:  # noqa: BLE001 - which ones there are is the question
                answers.append(error)
        await link.close()

    with server_that_resets_after(b"PING") as port, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(call_again_and_again(port))

    assert b"OK" in answers
    assert {type(answer) for answer in answers} <= {bytes, OutcomeUnknown, NotSent}


async def test_a_server_that_forgot_the_scripts_gets_them_again(redis_url: str) -> None:
    streams = RedisStreams(redis_url, Keys(0))
    await streams.lock.acquire("a", 60_000)
    with redis.Redis.from_url(redis_url) as raw:
        raw.script_flush()

    await streams.lock.renew("a", 60_000)
    await streams.status.write({"state": "RUNNING"})

    assert streams.urgent.connections_made == 1
    await streams.close()


def test_without_hiredis_nothing_starts_and_the_error_names_it() -> None:
    code = "import sys; sys.modules['hiredis'] = None; import taskservice.streams.redis_client"

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert "ImportError: taskservice needs hiredis (pip install 'redis[hiredis]')" in ended.stderr


async def test_close_is_not_the_end(link: Link) -> None:
    await link.call("PING")
    await link.close()

    assert await link.call("PING") == b"PONG"
    assert link.connections_made == 2
