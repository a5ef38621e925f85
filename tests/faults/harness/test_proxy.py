"""The proxy does to bytes what its modes say: shown on a server that echoes, and on Redis."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.faults.harness.modes import Blackhole, Delay, Half, Pass, Reset
from tests.faults.harness.proxy import Proxy

from taskservice.localstack.ports import LOOPBACK
from taskservice.testing.waiting import wait_until_blocking

SILENCE_S = 0.3
PATIENCE_S = 30.0


class Echo:
    """A server that sends back what it gets, and remembers it."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._listening = socket.create_server((LOOPBACK, 0))
        self.url = f"redis://{LOOPBACK}:{self._listening.getsockname()[1]}/0"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # closed before
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(4_096):
                    self.heard.append(data)
                    connection.sendall(data)
            except OSError:
                return


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy(echo.url) as made:
        yield made


def connected(proxy: Proxy, timeout_s: float = PATIENCE_S) -> socket.socket:
    return socket.create_connection((LOOPBACK, proxy.port), timeout=timeout_s)


def asked(connection: socket.socket, words: bytes) -> bytes:
    connection.sendall(words)
    return connection.recv(4_096)


def is_reset(connection: socket.socket) -> bool:
    connection.settimeout(PATIENCE_S)
    try:
        return connection.recv(1) == b"never sent"
    except ConnectionResetError:
        return True


def is_refused(proxy: Proxy) -> bool:
    """The reset comes while the connection is made, or right after."""
    try:
        with connected(proxy) as connection:
            return is_reset(connection)
    except ConnectionResetError:
        return True


def test_what_passes_comes_back(echo: Echo, proxy: Proxy) -> None:
    with connected(proxy) as one, connected(proxy) as other:
        assert asked(one, b"first") == b"first"
        assert asked(other, b"second") == b"second"
    assert echo.heard == [b"first", b"second"]
    assert proxy.connections == 2


def test_the_address_keeps_account_and_path() -> None:
    with Proxy("redis://127.0.0.1:1/0") as proxy:
        assert proxy.url("mysql://me:s%40cret@db:3306/tasks") == f"mysql://me:s%40cret@127.0.0.1:{proxy.port}/tasks"
        assert proxy.url("redis://127.0.0.1:1/7") == f"redis://127.0.0.1:{proxy.port}/7"


def test_a_delay_is_as_long_as_it_says_and_keeps_the_order(echo: Echo, proxy: Proxy) -> None:
    proxy.set(Delay(200))
    with connected(proxy) as connection:
        began = time.monotonic()
        assert asked(connection, b"late") == b"late"
        assert time.monotonic() - began >= 0.2
        connection.sendall(b"slow;")
        wait_until_blocking(lambda: proxy.delay_s == 0.2, "the request is under way")
        proxy.set(Pass())
        connection.sendall(b"fast;")
        wait_until_blocking(lambda: b"".join(echo.heard) == b"lateslow;fast;", "both arrived", timeout_s=PATIENCE_S)


def test_a_reset_ends_open_connections_and_new_ones(echo: Echo, proxy: Proxy) -> None:
    with connected(proxy) as connection:
        assert asked(connection, b"open") == b"open"
        proxy.set(Reset())
        assert is_reset(connection)
        assert is_refused(proxy)
        proxy.set(Pass())
        with connected(proxy) as again:
            assert asked(again, b"again") == b"again"
    assert echo.heard == [b"open", b"again"]


def test_a_cut_resets_what_is_open_and_takes_new_connections(proxy: Proxy) -> None:
    with connected(proxy) as connection:
        assert asked(connection, b"open") == b"open"
        proxy.cut()
        assert is_reset(connection)
        with connected(proxy) as again:
            assert asked(again, b"again") == b"again"


def test_a_black_hole_tells_nobody_and_delivers_what_was_sent_once_it_ends(echo: Echo, proxy: Proxy) -> None:
    with connected(proxy) as connection:
        assert asked(connection, b"open") == b"open"
        proxy.set(Blackhole())
        connection.settimeout(SILENCE_S)
        with pytest.raises(TimeoutError):
            asked(connection, b"kept;")
        with connected(proxy, SILENCE_S) as silent:  # taken, and never answered
            with pytest.raises(TimeoutError):
                asked(silent, b"new;")
            assert echo.heard == [b"open"]
            proxy.set(Pass())
            silent.settimeout(PATIENCE_S)
            assert silent.recv(4_096) == b"new;"
        connection.settimeout(PATIENCE_S)
        assert connection.recv(4_096) == b"kept;"


def test_half_lets_requests_arrive_and_swallows_replies(echo: Echo, proxy: Proxy) -> None:
    with connected(proxy) as connection:
        assert asked(connection, b"open") == b"open"
        proxy.set(Half())
        connection.settimeout(SILENCE_S)
        with pytest.raises(TimeoutError):
            asked(connection, b"unheard")
        assert echo.heard == [b"open", b"unheard"]
        proxy.set(Pass())
        assert is_reset(connection)  # its replies would no longer belong to its requests


def test_half_once_meets_the_request_it_was_told_and_no_other(echo: Echo, proxy: Proxy) -> None:
    done = proxy.half_once(lambda data: b"COMMIT" in data)
    with connected(proxy) as bystander, connected(proxy) as connection:
        assert asked(bystander, b"BEGIN") == b"BEGIN"
        assert asked(connection, b"UPDATE") == b"UPDATE"
        assert not done.is_set()
        connection.sendall(b"COMMIT")
        assert is_reset(connection)
        assert done.wait(PATIENCE_S)
        assert asked(bystander, b"COMMIT") == b"COMMIT"
    assert echo.heard == [b"BEGIN", b"UPDATE", b"COMMIT", b"COMMIT"]


def redis_through(proxy: Proxy, url: str) -> redis.Redis:
    """A client that sends nothing twice by itself."""
    return redis.Redis.from_url(proxy.url(url), socket_timeout=1.0, retry=Retry(NoBackoff(), 0), decode_responses=True)


@pytest.mark.parametrize("once", [True, False], ids=["half_once", "half"])
def test_redis_has_done_what_half_lets_nobody_hear_of(redis_url: str, once: bool) -> None:
    with Proxy(redis_url) as proxy, redis_through(proxy, redis_url) as client:
        assert client.incr("test:count") == 1
        if once:
            done = proxy.half_once(lambda data: b"INCR" in data)
            with pytest.raises(redis.ConnectionError):
                client.incr("test:count")
            assert done.wait(PATIENCE_S)
        else:
            proxy.set(Half())
            with pytest.raises(redis.TimeoutError):
                client.incr("test:count")
            proxy.set(Pass())
        assert client.get("test:count") == "2"


def test_a_server_that_is_away_is_a_reset(echo: Echo, proxy: Proxy) -> None:
    echo.close()
    assert is_refused(proxy)


def test_what_a_client_sent_before_it_gave_up_arrives_after_a_black_hole(echo: Echo, proxy: Proxy) -> None:
    with connected(proxy) as connection:
        assert asked(connection, b"open;") == b"open;"
        proxy.set(Blackhole())
        connection.sendall(b"given up")
    proxy.set(Pass())
    wait_until_blocking(lambda: b"".join(echo.heard) == b"open;given up", "it arrives", timeout_s=PATIENCE_S)
