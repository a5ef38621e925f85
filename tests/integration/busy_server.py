"""A server that is busy at the first request of each path, and says for how long it wants to be left alone."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.integration.watching import now_ms

PAUSE_S = 2
CLOCK_BEHIND_S = 3_600
"""Its clock is an hour slow: a date in its answers means something only beside its own `Date`."""


class BusyServer(ThreadingHTTPServer):
    """`/seconds` answers 503 with a number, `/date` 429 with a date; from the second request on both are well.

    :ivar arrivals: when each request of a path came. :ivar refusals: when the first one's answer was sent.
    """

    daemon_threads = True

    def __init__(self) -> None:
        self.arrivals: dict[str, list[int]] = defaultdict(list)
        self.refusals: dict[str, int] = {}
        super().__init__(("127.0.0.1", 0), _Answering)

    @property
    def host_and_port(self) -> str:
        """As `app.task.http.allow` takes it."""
        return f"127.0.0.1:{self.server_port}"


class _Answering(BaseHTTPRequestHandler):
    server: BusyServer

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.server.arrivals[path].append(now_ms())
        first = len(self.server.arrivals[path]) == 1
        its_now = now_ms() // 1_000 - CLOCK_BEHIND_S
        pause = str(PAUSE_S) if path == "/seconds" else formatdate(its_now + PAUSE_S, usegmt=True)
        self.send_response_only((503 if path == "/seconds" else 429) if first else 200)
        self.send_header("Date", formatdate(its_now, usegmt=True))
        self.send_header("Content-Length", "0")
        if first:
            self.send_header("Retry-After", pause)
            self.server.refusals[path] = now_ms()
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Nothing: what was asked is in `arrivals`."""


@contextmanager
def busy_server() -> Iterator[BusyServer]:
    """One that serves on a free port of loopback."""
    with BusyServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
