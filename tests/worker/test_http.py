"""The built-in `http` handler: what it may reach, what it sends, how it judges."""

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from taskservice.domain.dispatch import WorkOrder
from taskservice.domain.reports import Failed
from taskservice.worker import TaskContext, TaskResult
from taskservice.worker.built_in.addresses import refusal
from taskservice.worker.built_in.http import MAX_RESPONSE_BYTES, HttpCall
from taskservice.worker.built_in.pinned import AddressRefusedError, Guard
from taskservice.worker.built_in.retry_after import retry_after_ms
from taskservice.worker.log_buffer import LogBuffer
from taskservice.worker.outcome import Failure, Times, report_of, success_of

REFUSED = [
    ("0.0.0.0", "this host"),
    ("0.1.2.3", "this host"),
    ("10.0.0.1", "private"),
    ("10.255.255.255", "private"),
    ("100.64.0.1", "CGNAT"),
    ("100.127.255.254", "CGNAT"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("169.254.169.254", "metadata"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.0.0.9", "protocol"),
    ("192.0.2.1", "documentation"),
    ("192.88.99.1", "6to4"),
    ("192.168.1.1", "private"),
    ("198.18.0.1", "benchmark"),
    ("198.19.255.255", "benchmark"),
    ("198.51.100.7", "documentation"),
    ("203.0.113.7", "documentation"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "broadcast"),
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("::7f00:1", "v4-compatible"),
    ("::ffff:127.0.0.1", "v4-mapped"),
    ("::ffff:8.8.8.8", "v4-mapped"),
    ("::ffff:0:10.0.0.1", "v4-translated"),
    ("64:ff9b::7f00:1", "NAT64"),
    ("64:ff9b::808:808", "NAT64"),
    ("64:ff9b:1::a00:1", "NAT64"),
    ("100::1", "discard"),
    ("2001::1", "Teredo"),
    ("2001:2::1", "protocol"),
    ("2001:db8::1", "documentation"),
    ("2002:7f00:1::1", "6to4"),
    ("2002:808:808::1", "6to4"),
    ("3fff::1", "documentation"),
    ("fc00::1", "unique local"),
    ("fd12:3456::1", "unique local"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("fec0::1", "site-local"),
    ("ff02::1", "multicast"),
    ("4000::1", "not assigned"),
    ("no address", "no IP address"),
]
REACHABLE = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "126.255.255.255", "128.0.0.1",
    "172.15.255.255", "172.32.0.1", "192.0.1.1", "192.167.255.255", "192.169.0.1", "198.17.255.255", "198.20.0.1",
    "223.255.255.255", "2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450::1",
]  # fmt: skip


@pytest.mark.parametrize(("address", "why"), REFUSED)
def test_addresses_that_tasks_may_not_reach(address: str, why: str) -> None:
    assert why in (refusal(address) or "")


@pytest.mark.parametrize("address", REACHABLE)
def test_addresses_on_the_open_internet(address: str) -> None:
    assert refusal(address) is None
    assert ip_address(address).is_global


def resolving(**hosts: Sequence[str]) -> Any:
    async def resolve(host: str, port: int) -> Sequence[str]:
        del port
        return hosts[host.partition(".")[0]]

    return resolve


async def test_one_bad_address_among_good_ones_refuses_the_host() -> None:
    guard = Guard((), resolving(mixed=("8.8.8.8", "127.0.0.1")))

    with pytest.raises(AddressRefusedError, match=r"mixed.test:80 is 127.0.0.1 \(loopback\)"):
        await guard.pinned(httpx.URL("http://mixed.test/"))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.1/", "http://0177.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://localhost/",
        "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://0/",
    ],
)  # fmt: skip
async def test_every_spelling_of_this_host_is_refused(url: str) -> None:
    with pytest.raises((AddressRefusedError, httpx.InvalidURL)):
        await Guard(()).pinned(httpx.URL(url))


@pytest.mark.parametrize("url", ["ftp://example.test/", "file:///etc/passwd", "gopher://x/", "http://u:p@good.test/"])
async def test_other_schemes_and_passwords_in_the_url_are_refused(url: str) -> None:
    with pytest.raises(AddressRefusedError):
        await Guard((), resolving(good=("8.8.8.8",))).pinned(httpx.URL(url))


async def test_the_allow_list_names_host_and_port() -> None:
    guard = Guard(["Inner.test:8084", "[::1]:80"], resolving(inner=("127.0.0.1",), **{"::1": ("::1",)}))

    assert await guard.pinned(httpx.URL("http://inner.test:8084/health/live")) == ("127.0.0.1",)
    assert await guard.pinned(httpx.URL("http://[::1]/")) == ("::1",)
    with pytest.raises(AddressRefusedError):
        await guard.pinned(httpx.URL("http://inner.test:8085/"))
    with pytest.raises(AddressRefusedError):
        await guard.pinned(httpx.URL("https://inner.test/"))


@dataclass
class Site:
    """A small HTTP server that answers what a test told it to, and keeps what it was asked."""

    port: int = 0
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nX-Other: x\r\n\r\nok"
    requests: list[bytes] = field(default_factory=list)
    silent: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(x.split(b":")[1]) for x in head.lower().split(b"\r\n") if x[:15] == b"content-length:"), 0
            )
            self.requests.append(head + await reader.readexactly(length))
            if self.silent:
                await reader.read()
            writer.write(self.answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    yield site
    server.close()


def context(**params: object) -> TaskContext:
    order = WorkOrder(
        instance_id="i", tenant_id="t", definition_id="d", definition_version=1, task_name="n", handler="http",
        attempt=1, fire_time=0, dispatched_at=0, params=msgspec.json.encode(params).decode(),
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )  # fmt: skip
    return TaskContext(order, LogBuffer(lambda: 0))


async def call(site: Site, path: str = "/", **params: object) -> TaskResult:
    caller = HttpCall(Guard([f"site.test:{site.port}"], resolving(site=("127.0.0.1",))))
    return await caller.run(context(url=f"http://site.test:{site.port}{path}", **params))


async def test_a_request_names_its_host_and_its_result_says_little(site: Site) -> None:
    outcome = await call(site, "/a?b=c", method="post", headers={"X-Key": "k"}, body={"n": 1})

    assert outcome.ok
    assert isinstance(outcome.result, dict)
    assert {name: outcome.result[name] for name in ("status", "headers", "body", "bodyTruncated")} == {
        "status": 200,
        "headers": {"content-type": "text/plain", "content-length": "2"},
        "body": "ok",
        "bodyTruncated": False,
    }
    head, _, body = site.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /a?b=c HTTP/1.1"
    assert f"Host: site.test:{site.port}".encode() in lines
    assert b"X-Key: k" in lines
    assert b"Content-Type: application/json" in lines
    assert b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" in lines
    assert body == b'{"n":1}'


async def test_the_expected_status_decides(site: Site) -> None:
    site.answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone"

    assert (await call(site, expectedStatus=404)).ok
    assert (await call(site, expectedStatus=[200, 404])).ok
    failed = await call(site)
    assert not failed.ok
    assert (failed.error_type, failed.retry) == ("HttpStatus", True)
    assert failed.message == "status 404, expected 2xx; body: gone"


@pytest.mark.parametrize(
    ("status", "headers", "pause_ms"),
    [
        (503, {"retry-after": "120"}, 120_000),
        (429, {"retry-after": " 0 "}, 0),
        (429, {"retry-after": "99999999999999999999"}, 86_400_000),
        (500, {"retry-after": "120"}, 0),
        (503, {}, 0),
        (503, {"retry-after": "soon"}, 0),
        (503, {"retry-after": "-5"}, 0),
        (503, {"retry-after": "1.5"}, 0),
        (
            503,
            {"retry-after": "Sun, 06 Nov 1994 08:50:37 GMT", "date": "Sun, 06 Nov 1994 08:49:37 GMT"},
            60_000,
        ),
        (429, {"retry-after": "Sunday, 06-Nov-94 08:50:37 GMT", "date": "Sun Nov  6 08:49:37 1994"}, 60_000),
        (503, {"retry-after": "Sun, 06 Nov 1994 08:49:00 GMT", "date": "Sun, 06 Nov 1994 08:49:37 GMT"}, 0),
        (503, {"retry-after": "Sun, 06 Nov 1994 08:49:40 GMT"}, 3_000),
        (503, {"retry-after": "Sun, 06 Nov 1994 08:49:40 GMT", "date": "yesterday"}, 3_000),
    ],
)
def test_how_long_a_server_wants_to_be_left_alone(status: int, headers: dict[str, str], pause_ms: int) -> None:
    now = dt.datetime(1994, 11, 6, 8, 49, 37, tzinfo=dt.UTC)

    assert retry_after_ms(status, headers, int(now.timestamp() * 1_000)) == pause_ms


async def test_the_failure_carries_what_the_server_asked_for(site: Site) -> None:
    site.answer = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"

    failed = await call(site)

    assert (failed.ok, failed.retry, failed.retry_after_ms) == (False, True, 7_000)
    outcome = success_of(failed)
    assert outcome == Failure("HttpStatus", "status 429, expected 2xx; body: ", retry=True, retry_after_ms=7_000)
    assert report_of(outcome, 3, Times(10, 20)) == Failed(
        position=3,
        started_at=10,
        ended_at=20,
        error_type="HttpStatus",
        error_message="status 429, expected 2xx; body: ",
        retry_after_ms=7_000,
    )


async def test_redirects_are_not_followed(site: Site) -> None:
    site.answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/secret\r\nContent-Length: 0\r\n\r\n"

    outcome = await call(site, expectedStatus=302)

    assert outcome.ok
    assert isinstance(outcome.result, dict)
    assert outcome.result["headers"]["location"] == "http://127.0.0.1/secret"
    assert len(site.requests) == 1


async def test_a_large_body_is_read_to_its_cap_only(site: Site) -> None:
    site.answer = b"HTTP/1.1 200 OK\r\n\r\n" + b"\x01" * (3 * MAX_RESPONSE_BYTES)

    outcome = await call(site)

    assert isinstance(outcome.result, dict)
    assert outcome.result["bodyTruncated"]
    assert len(msgspec.json.encode(outcome.result)) < 65_536


async def test_the_time_cap_covers_everything(site: Site) -> None:
    site.silent = True

    outcome = await call(site, timeoutMs=100)

    assert (outcome.ok, outcome.error_type, outcome.message) == (False, "HttpTimeout", "no answer within 100 ms")


async def test_nothing_listens_is_an_error_that_may_be_retried() -> None:
    free = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = free.sockets[0].getsockname()[1]
    free.close()
    await free.wait_closed()

    outcome = await HttpCall(Guard([f"127.0.0.1:{port}"])).run(context(url=f"http://127.0.0.1:{port}/"))

    assert (outcome.ok, outcome.error_type, outcome.retry) == (False, "HttpError", True)


async def test_without_the_allow_list_this_host_is_refused_and_not_asked(site: Site) -> None:
    outcome = await HttpCall(Guard(())).run(context(url=f"http://127.0.0.1:{site.port}/"))

    assert (outcome.ok, outcome.error_type, outcome.retry) == (False, "HttpRefused", False)
    assert "loopback" in outcome.message
    assert site.requests == []


async def test_a_proxy_of_the_environment_is_not_used(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    assert (await call(site)).ok


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"url": 5},
        {"url": "http://a.test/", "unknown": 1},
        {"url": "http://a.test/", "method": "TRACE"},
        {"url": "http://a.test/", "headers": {"Host": "b.test"}},
        {"url": "http://a.test/", "headers": {"Transfer-Encoding": "chunked"}},
        {"url": "http://a.test/", "timeoutMs": 0},
        {"url": "http://[::1/"},
        {"url": "not a url"},
    ],
)
async def test_bad_parameters_fail_without_a_retry(params: dict[str, object]) -> None:
    outcome = await HttpCall(Guard((), resolving(a=("8.8.8.8",)))).run(context(**params))

    assert not outcome.ok
    assert not outcome.retry


async def test_the_certificate_is_checked_for_the_name_and_not_for_the_address(site: Site, tmp_path: Path) -> None:
    authority = _certificate("site.test", tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authority)
    asked_for: list[str | None] = []
    tls.sni_callback = lambda _, name, __: asked_for.append(name)
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    trusting = httpx.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=str(authority)), trust_env=False)
    allow = [f"site.test:{port}", f"other.test:{port}"]
    resolver = resolving(site=("127.0.0.1",), other=("127.0.0.1",))
    caller = HttpCall(Guard(allow, resolver), transport=trusting)

    good = await caller.run(context(url=f"https://site.test:{port}/"))
    wrong_name = await caller.run(context(url=f"https://other.test:{port}/"))
    unknown = await HttpCall(Guard(allow, resolver)).run(context(url=f"https://site.test:{port}/"))
    server.close()

    assert good.ok
    assert asked_for[:2] == ["site.test", "other.test"]
    assert (wrong_name.ok, unknown.ok) == (False, False)
    assert "CERTIFICATE_VERIFY_FAILED" in wrong_name.message
    assert "CERTIFICATE_VERIFY_FAILED" in unknown.message


def _certificate(name: str, folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "site.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
