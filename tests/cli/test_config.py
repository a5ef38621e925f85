"""`taskservice config` as a person runs it."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from taskservice.config.keys import SETTINGS


def config(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "taskservice.cli.main", "config", *arguments],
        cwd=folder, env={"PATH": "/usr/bin", **(env or {})}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_show_prints_every_setting_with_its_source(tmp_path: Path) -> None:
    (tmp_path / "given.yaml").write_text("app.task.time-zone: Asia/Shanghai")
    secret = "canary-7Qx"

    done = config(
        tmp_path, "show", "--config", "given.yaml", "--set", "app.task.api.port=0", env={"MYSQL_PASSWORD": secret}
    )

    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()[1:]}
    assert (done.returncode, done.stderr) == (0, "")
    assert set(rows) == set(SETTINGS)
    assert rows["app.task.time-zone"] == ["Asia/Shanghai", str(tmp_path / "given.yaml")]
    assert rows["app.task.api.port"] == ["0", "--set"]
    assert rows["mysql.password"] == ["********", "MYSQL_PASSWORD"]
    assert rows["mysql.host"] == ["127.0.0.1", "default"]
    assert secret not in done.stdout


def test_show_as_json_is_a_line_a_setting(tmp_path: Path) -> None:
    done = config(
        tmp_path, "show", "--json", "--changed", env={"APP_TASK_HTTP_ALLOW": "a:1,b:2", "APP_TASK_WORKER_TTL": "3s"}
    )

    assert [msgspec.json.decode(line) for line in done.stdout.splitlines()] == [
        {"key": "app.task.http.allow", "value": ["a:1", "b:2"], "source": "APP_TASK_HTTP_ALLOW"},
        {"key": "app.task.worker.ttl", "value": 3_000, "source": "APP_TASK_WORKER_TTL"},
    ]


def test_show_of_faulty_settings_still_shows_them_and_says_what_is_wrong(tmp_path: Path) -> None:
    done = config(tmp_path, "show", env={"APP_TASK_API_PORT": "http", "REDIS_PORT": "6380"})

    assert done.returncode == 2
    assert "problem: app.task.api.port (APP_TASK_API_PORT) is 'http' and must be an integer" in done.stderr
    assert "6380" in done.stdout


def test_check_is_silent_about_what_is_right(tmp_path: Path) -> None:
    done = config(tmp_path, "check", env={"REDIS_PORT": "6380"})

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"the settings can be used: 1 given, {len(SETTINGS) - 1} left at their default\n"


def test_check_names_costs_and_faults(tmp_path: Path) -> None:
    done = config(tmp_path, "check", env={"NACOS_SERVER_ADDR": "nacos:8848", "PROFILE": "prod"})

    assert done.returncode == 2
    assert "warning: nacos.server-addr (NACOS_SERVER_ADDR) is not used yet" in done.stderr
    assert done.stderr.count("problem: ") == 2
