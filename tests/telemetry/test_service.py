"""A service as a process: signals, exit statuses, logs, and the death of its supervisor."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from taskservice.testing.waiting import wait_until_blocking

SERVICE = """
import asyncio, sys
import structlog
from taskservice.telemetry import RefusedToStartError, WornOutError, run_service

async def main(stop):
    structlog.get_logger("test").info("begun", zone="上海")
    match sys.argv[1]:
        case "refuse":
            raise RefusedToStartError("there is no append-only file")
        case "wear out":
            raise WornOutError("half of it is stuck")
        case "fail":
            raise ValueError("a bug")
    await stop.wait()
    structlog.get_logger("test").info("ended")

sys.exit(run_service(main, service="probe"))
"""


def start(log: Path, how: str, **env: str) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen([sys.executable, "-c", SERVICE, how], stderr=out, env={**os.environ, **env})


def lines(log: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def has_begun(log: Path) -> None:
    wait_until_blocking(lambda: "begun" in log.read_text(), "the service has begun")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "log"
    process = start(log, "run")
    has_begun(log)

    process.send_signal(number)

    assert process.wait(timeout=10) == 0
    assert [line["event"] for line in lines(log)] == ["begun", "stopping", "ended", "stopped"]


def test_logs_are_json_with_service_level_and_time_when_nobody_looks(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start(log, "refuse")
    process.wait(timeout=10)

    first = lines(log)[0]
    assert (first["service"], first["level"], first["event"], first["zone"]) == ("probe", "info", "begun", "上海")
    assert first["time"].endswith("Z")


def test_a_refusal_is_one_line_and_status_2(tmp_path: Path) -> None:
    log = tmp_path / "log"

    assert start(log, "refuse").wait(timeout=10) == 2
    assert lines(log)[-1]["reason"] == "there is no append-only file"
    assert "exception" not in lines(log)[-1]


def test_a_worn_out_service_is_one_line_and_status_6(tmp_path: Path) -> None:
    log = tmp_path / "log"

    assert start(log, "wear out").wait(timeout=10) == 6
    assert lines(log)[-1]["reason"] == "half of it is stuck"
    assert "exception" not in lines(log)[-1]


def test_a_bug_is_logged_with_its_traceback_and_status_1(tmp_path: Path) -> None:
    log = tmp_path / "log"

    assert start(log, "fail").wait(timeout=10) == 1
    assert "ValueError: a bug" in lines(log)[-1]["exception"]


def test_it_ends_when_its_supervisor_is_gone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    starter = (
        "import os, subprocess, sys, time\n"
        "env = {**os.environ, 'TASKSERVICE_PARENT_PID': str(os.getpid())}\n"
        "out = open(sys.argv[2], 'wb')\n"
        "subprocess.Popen([sys.executable, '-c', sys.argv[1], 'run'], stderr=out, env=env)\n"
        "time.sleep(600)\n"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", starter, SERVICE, str(log)])
    wait_until_blocking(lambda: log.exists() and "begun" in log.read_text(), "the service has begun")

    supervisor.kill()
    supervisor.wait()

    wait_until_blocking(lambda: '"stopped"' in log.read_text(), "the service has stopped")
    assert "the supervisor is gone" in log.read_text()
