"""Settings of TLS: what they become, and what stops the start because somebody would believe it in force."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.security.certificates import certificates

from taskservice.config import Settings, SettingsError, load_settings


def load(tmp_path: Path, env: Mapping[str, str]) -> Settings:
    return load_settings({}, env, tmp_path)


@pytest.fixture
def authority(tmp_path: Path) -> str:
    return str(certificates(tmp_path / "certificates").authority)


def test_nothing_is_asked_for_by_default(tmp_path: Path) -> None:
    settings = load(tmp_path, {})

    assert (settings.redis.url, settings.mysql.tls) == ("redis://127.0.0.1:6379/0", False)
    assert "?" not in settings.mysql.url


def test_the_switches_reach_both_urls(tmp_path: Path, authority: str) -> None:
    env = {
        "REDIS_TLS": "true", "REDIS_TLS_CA_FILE": authority, "REDIS_PASSWORD": "p",
        "MYSQL_TLS": "true", "MYSQL_TLS_CA_FILE": authority, "MYSQL_TLS_CHECK_NAME": "false",
    }  # fmt: skip
    quoted = authority.replace("/", "%2F")
    settings = load(tmp_path, env)

    assert settings.redis.url == f"rediss://:p@127.0.0.1:6379/0?ssl_ca_certs={quoted}"
    assert settings.mysql.url == (
        f"mysql://taskservice:@127.0.0.1:3306/taskservice?tls=true&tls-ca-file={quoted}&tls-check-name=false"
    )


def test_a_url_says_whether_and_the_file_of_authorities_goes_with_it(tmp_path: Path, authority: str) -> None:
    env = {
        "TASKSERVICE_REDIS_URL": "rediss://:p@cache:6380/1", "REDIS_TLS_CA_FILE": authority,
        "TASKSERVICE_MYSQL_URL": "mysql://me:p@db/tasks?tls=true", "MYSQL_TLS_CA_FILE": authority,
    }  # fmt: skip
    quoted = authority.replace("/", "%2F")
    settings = load(tmp_path, env)

    assert settings.redis.url == f"rediss://:p@cache:6380/1?ssl_ca_certs={quoted}"
    assert settings.mysql.url == f"mysql://me:p@db:3306/tasks?tls=true&tls-ca-file={quoted}"


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"REDIS_TLS": "true", "TASKSERVICE_REDIS_URL": "redis://cache"}, "redis.tls (REDIS_TLS) is true, but"),
        ({"MYSQL_TLS": "true", "TASKSERVICE_MYSQL_URL": "mysql://me@db/d"}, "mysql.tls (MYSQL_TLS) is true, but"),
        ({"REDIS_TLS": "true", "REDIS_TLS_CA_FILE": "/none.pem"}, "names /none.pem, which can't be read"),
        ({"MYSQL_TLS": "true", "MYSQL_TLS_CA_FILE": __file__}, "which holds no certificate in PEM"),
        ({"MYSQL_TLS": "yes please"}, "must be true or false"),
        ({"TASKSERVICE_MYSQL_URL": "mysql://me@db/d?ssl=true"}, "with ?tls=true"),
        ({"TASKSERVICE_MYSQL_URL": "mysql://me@db/d?tls=maybe"}, "with ?tls=true"),
        ({"TASKSERVICE_REDIS_URL": "rediss://cache?ssl=true"}, "has ssl behind its ?"),
    ],
)
def test_what_would_do_nothing_stops_the_start(env: dict[str, str], says: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, env)

    (problem,) = caught.value.problems
    assert says in problem


@pytest.mark.parametrize("server", ["redis", "mysql"])
def test_authorities_without_tls_stop_the_start(server: str, tmp_path: Path, authority: str) -> None:
    with pytest.raises(SettingsError, match=f"does nothing: TLS is not asked for; set {server}.tls"):
        load(tmp_path, {f"{server.upper()}_TLS_CA_FILE": authority})


def test_a_certificate_that_is_not_checked_is_warned_of(tmp_path: Path) -> None:
    (warning,) = load(tmp_path, {"TASKSERVICE_REDIS_URL": "rediss://cache?ssl_cert_reqs=none"}).warnings

    assert "the certificate of Redis is not checked" in warning
