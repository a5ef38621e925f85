"""Probes and metrics of a process without HTTP of its own."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from taskservice.telemetry import HealthServer

CHECKS = {"redis": True, "leader": False}


@pytest.fixture
async def server() -> AsyncIterator[HealthServer]:
    registry = CollectorRegistry()
    Counter("taskservice_things", "things", registry=registry).inc(3)
    async with HealthServer(host="127.0.0.1", port=0, ready=lambda: CHECKS, registry=registry) as server:
        yield server


async def ask(server: HealthServer, request: str) -> tuple[int, dict[str, str], str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request.encode())
    answer = (await reader.read()).decode()
    writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    lines = head.split("\r\n")
    return int(lines[0].split()[1]), dict(line.split(": ", 1) for line in lines[1:]), body


async def test_a_process_is_live_while_it_answers(server: HealthServer) -> None:
    status, headers, body = await ask(server, "GET /health/live HTTP/1.1\r\n\r\n")

    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(body) == {"status": "live", "checks": {}}


async def test_one_check_that_fails_makes_it_not_ready_and_is_named(server: HealthServer) -> None:
    status, _, body = await ask(server, "GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n")

    assert status == 503
    assert json.loads(body) == {"status": "not ready", "checks": CHECKS}


async def test_a_reason_stands_beside_the_check_that_does_not_hold() -> None:
    why = {"log": "EMPTY: run this"}
    async with HealthServer(
        host="127.0.0.1", port=0, ready=lambda: {"log": False}, reasons=lambda: why, registry=CollectorRegistry()
    ) as server:
        status, _, body = await ask(server, "GET /health/ready HTTP/1.1\r\n\r\n")
        _, _, live = await ask(server, "GET /health/live HTTP/1.1\r\n\r\n")

    assert (status, json.loads(body)) == (503, {"status": "not ready", "checks": {"log": False}, "reasons": why})
    assert "reasons" not in json.loads(live)


async def test_metrics_are_those_of_its_registry(server: HealthServer) -> None:
    status, headers, body = await ask(server, "GET /metrics?x=1 HTTP/1.1\r\n\r\n")

    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    assert "taskservice_things_total 3.0" in body


async def test_openmetrics_is_sent_to_who_accepts_it(server: HealthServer) -> None:
    status, headers, body = await ask(
        server, "GET /metrics HTTP/1.1\r\nHost: x\r\naccept:  application/openmetrics-text;version=1.0.0\r\n\r\n"
    )

    assert (status, headers["Content-Type"]) == (200, "application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert body.endswith("# EOF\n")


async def test_a_client_that_only_sends_headers_gets_no_answer(server: HealthServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 200)
    try:
        answer = await reader.read()
    except ConnectionResetError:  # it hung up on what was still on the way
        answer = b""
    writer.close()

    assert answer == b""


async def test_head_answers_without_a_body(server: HealthServer) -> None:
    status, headers, body = await ask(server, "HEAD /health/live HTTP/1.1\r\n\r\n")

    assert (status, body) == (200, "")
    assert int(headers["Content-Length"]) > 0


@pytest.mark.parametrize(
    ("request_text", "expected"),
    [
        ("GET / HTTP/1.1\r\n\r\n", 404),
        ("POST /health/live HTTP/1.1\r\n\r\n", 405),
        ("nonsense\r\n\r\n", 400),
    ],
)
async def test_everything_else_is_refused(server: HealthServer, request_text: str, expected: int) -> None:
    status, _, _ = await ask(server, request_text)

    assert status == expected
