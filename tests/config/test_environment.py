"""Environment variables beside ours: what Kubernetes writes is left alone, what looks like a slip is told."""

from pathlib import Path

import pytest

from taskservice.config import load_settings


def test_kubernetes_links_to_services_are_not_ours(tmp_path: Path) -> None:
    links = {
        "REDIS_PORT": "tcp://10.0.0.7:6379", "REDIS_SERVICE_HOST": "10.0.0.7", "REDIS_PORT_6379_TCP_ADDR": "10.0.0.7",
        "MYSQL_PORT": "tcp://10.0.0.8:3306", "MYSQL_SERVICE_PORT": "3306",
        "APP_TASK_SERVICE_HOST": "10.0.0.9", "APP_TASK_API_PORT": "tcp://10.0.0.9:8084",
        "APP_TASK_API_PORT_8084_TCP_PROTO": "tcp", "APP_TASK_API_SERVICE_PORT_HTTP": "8084",
    }  # fmt: skip

    settings = load_settings({}, links, tmp_path)

    assert settings.redis.url == "redis://127.0.0.1:6379/0"
    assert (settings.mysql.port, settings.api.port) == (3_306, 8_084)
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("MYSQL_USERNAME", "MYSQL_USER"),
        ("REDIS_PASWORD", "REDIS_PASSWORD"),
        ("TASKSERVICE_REDIS_URI", "TASKSERVICE_REDIS_URL"),
    ],
)
def test_what_looks_like_a_slip_is_told(tmp_path: Path, slip: str, meant: str) -> None:
    (warning,) = load_settings({}, {slip: "hunter22"}, tmp_path).warnings

    assert warning == f"{slip} (environment) is not read; did you mean {meant}?"


def test_other_variables_of_the_servers_are_left_alone(tmp_path: Path) -> None:
    others = {"MYSQL_HOME": "/x", "REDIS_OPTIONS": "/y", "TASKSERVICE_MYSQLD": "mysqld", "PATH": "/bin"}

    assert load_settings({}, others, tmp_path).warnings == ()


def test_the_user_of_redis(tmp_path: Path) -> None:
    env = {"REDIS_USER": "work:er", "REDIS_PASSWORD": "p@ss", "REDIS_HOST": "cache"}

    assert load_settings({}, env, tmp_path).redis.url == "redis://work%3Aer:p%40ss@cache:6379/0"
