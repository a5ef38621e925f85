"""The handler `http` reaches none of the servers that the service itself consists of, wherever they stand."""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import pytest
from tests.worker.test_http import context, resolving
from tests.worker.test_ssrf import Recorder

from taskservice.config import load_settings
from taskservice.worker.built_in.addresses import is_same
from taskservice.worker.built_in.http import HttpCall
from taskservice.worker.built_in.own_servers import OwnServer, own_servers
from taskservice.worker.built_in.pinned import AddressRefusedError, Guard, is_this_host

REDIS = OwnServer("the Redis of this service", "cache.test", 6_379)
API = OwnServer("the api of this service", "api.test", 8_084, may_be_allowed=True)
PUBLIC = resolving(cache=("9.9.9.9", "2620:fe::fe"), api=("9.9.9.10",), other=("9.9.9.9",), good=("8.8.8.8",))


def nowhere(address: str) -> bool:
    del address
    return False


async def reached(guard: Guard, url: str) -> bool:
    """Whether the handler would have connected; a refusal must be one for good."""
    transport = Recorder()
    outcome = await HttpCall(guard, transport=transport).run(context(url=url))
    if not outcome.ok:
        assert (outcome.error_type, outcome.retry) == ("HttpRefused", False)
    assert bool(transport.reached) is outcome.ok
    return outcome.ok


@pytest.mark.parametrize(
    ("url", "reaches"),
    [
        ("http://cache.test:6379/", False),
        ("http://other.test:6379/", False),
        ("http://9.9.9.9:6379/", False),
        ("http://[2620:fe::fe]:6379/", False),
        ("http://[2620:fe:0::00fe]:6379/", False),
        ("http://9.9.9.9/", True),
        ("http://good.test:6379/", True),
        ("http://api.test:8084/", False),
        ("https://api.test/", True),
    ],
)
async def test_a_server_of_ours_on_a_public_address_is_refused_by_any_name(url: str, reaches: bool) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        numeric = host[0].isdigit() or ":" in host
        found: Sequence[str] = [host] if numeric else await PUBLIC(host, port)
        return found

    guard = Guard((), resolve, own=(REDIS, API), here=nowhere)

    assert await reached(guard, url) is reaches


async def test_the_allow_list_opens_the_api_and_never_a_store() -> None:
    allow = ["cache.test:6379", "other.test:6379", "api.test:8084"]
    guard = Guard(allow, PUBLIC, own=(REDIS, API), here=nowhere)

    assert await reached(guard, "http://api.test:8084/")
    assert not await reached(guard, "http://cache.test:6379/")
    assert not await reached(guard, "http://other.test:6379/")


async def test_a_store_on_loopback_is_refused_on_every_address_of_its_host() -> None:
    resolver = resolving(outer=("10.0.0.5",), peer=("10.0.0.6",), cache=("127.0.0.1",))
    here = {"10.0.0.5", "127.0.0.1"}.__contains__
    guard = Guard(["outer.test:6379", "peer.test:6379"], resolver, own=(REDIS,), here=here)

    assert not await reached(guard, "http://outer.test:6379/")
    assert await reached(guard, "http://peer.test:6379/")


async def test_while_the_name_of_a_store_has_no_address_nobody_is_called_on_its_port() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        if host == REDIS.host:
            raise socket.gaierror("no such name")
        found: Sequence[str] = await PUBLIC(host, port)
        return found

    guard = Guard((), resolve, own=(REDIS,), here=nowhere)

    assert not await reached(guard, "http://good.test:6379/")
    assert await reached(guard, "http://good.test/")


async def test_the_workers_own_host_is_refused_on_its_public_address_unless_that_is_allowed() -> None:
    guard = Guard(["good.test:8081"], PUBLIC, here={"8.8.8.8"}.__contains__)

    with pytest.raises(AddressRefusedError, match=r"good.test:80 is 8.8.8.8 \(the worker's own host\)"):
        await guard.pinned(httpx.URL("http://good.test/"))
    assert await guard.pinned(httpx.URL("http://good.test:8081/")) == ("8.8.8.8",)


def test_this_host_knows_its_addresses() -> None:
    assert is_this_host("127.0.0.1")
    assert is_this_host("127.1.2.3")
    assert not is_this_host("8.8.8.8")
    assert not is_this_host("2001:4860:4860::8888")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("::1", "0:0:0:0:0:0:0:1", True),
        ("::ffff:10.0.0.5", "10.0.0.5", True),
        ("fe80::1%eth0", "fe80::1", True),
        ("10.0.0.5", "10.0.0.6", False),
        ("::1", "127.0.0.1", False),
    ],
)
def test_an_address_is_itself_however_it_is_spelled(one: str, other: str, same: bool) -> None:
    assert is_same(one, other) is same


async def test_only_the_ports_of_the_list_are_called_beside_what_is_allowed() -> None:
    guard = Guard(["good.test:8081"], PUBLIC, ports=(80, 443), here=nowhere)

    assert await reached(guard, "http://good.test/")
    assert await reached(guard, "https://good.test/")
    assert await reached(guard, "http://good.test:8081/")
    assert not await reached(guard, "http://good.test:8082/")
    with pytest.raises(AddressRefusedError, match=r"port 25 is not one of app.task.http.ports"):
        await guard.pinned(httpx.URL("http://good.test:25/"))


def settings_of(folder: Path, env: Mapping[str, str]) -> Sequence[OwnServer]:
    return own_servers(load_settings({}, env, folder))


def test_they_are_those_of_the_settings(tmp_path: Path) -> None:
    env = {
        "TASKSERVICE_REDIS_URL": "rediss://:x@cache.test:6390/2",
        "MYSQL_HOST": "db.test",
        "APP_TASK_API_HOST": "10.0.0.9",
        "TASKSERVICE_API_URL": "https://tasks.test",
    }

    assert [(one.host, one.port, one.may_be_allowed) for one in settings_of(tmp_path, env)] == [
        ("db.test", 3306, False),
        ("cache.test", 6390, False),
        ("10.0.0.9", 8084, True),
        ("tasks.test", 443, True),
    ]


def test_a_wildcard_and_a_socket_are_nobodys_address(tmp_path: Path) -> None:
    env = {
        "TASKSERVICE_REDIS_URL": "unix:///run/redis.sock",
        "TASKSERVICE_MYSQL_URL": "mysql://me@db.test:3310/tasks",
        "APP_TASK_API_HOST": "0.0.0.0",
        "TASKSERVICE_API_URL": "http://10.0.0.9",
    }

    assert [(one.host, one.port) for one in settings_of(tmp_path, env)] == [("db.test", 3310), ("10.0.0.9", 80)]


def test_a_worker_refuses_the_redis_that_it_works_with(redis_url: str, tmp_path: Path) -> None:
    """With what its settings say and its own resolver, although the list allows it."""
    settings = load_settings({}, {"TASKSERVICE_REDIS_URL": redis_url}, tmp_path)
    port = int(redis_url.rpartition(":")[2].partition("/")[0])
    guard = Guard([f"127.0.0.1:{port}", f"localhost:{port}"], own=own_servers(settings))

    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(AddressRefusedError, match="is the Redis of this service"):
            asyncio.run(guard.pinned(httpx.URL(f"http://{host}:{port}/")))
