"""`PROFILE=prod`: no secret that is unset, known, short or a name."""

from pathlib import Path

import pytest

from taskservice.config import SettingsError, load_settings
from taskservice.config.weak_secrets import weakness

STRONG = {"PROFILE": "prod", "MYSQL_PASSWORD": "kT4-unlikely", "REDIS_PASSWORD": "Zw8-unlikely"}


def problems(tmp_path: Path, env: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings({}, env, tmp_path)
    return caught.value.problems


def test_strong_secrets_are_taken(tmp_path: Path) -> None:
    assert load_settings({}, STRONG, tmp_path).production


def test_unset_ones_are_refused_both_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, {"PROFILE": "prod"})

    assert [problem.split()[0] for problem in found] == ["mysql.password", "redis.password"]
    assert "is not set; set MYSQL_PASSWORD or MYSQL_PASSWORD_FILE" in found[0]


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("changeme", "is one that everybody knows"),
        ("ChangeMe", "is one that everybody knows"),
        ("<your-password>", "is one that everybody knows"),
        ("default_token", "is one that everybody knows"),
        ("k7Q!x2_", "has 7 characters; at least 8 are asked for"),
        ("zzzzzzzzzzzz", "is one character over and over"),
    ],
)
def test_weak_ones_are_refused_and_not_shown(tmp_path: Path, secret: str, why: str) -> None:
    found = problems(tmp_path, STRONG | {"MYSQL_PASSWORD": secret, "REDIS_PASSWORD": secret})

    assert len(found) == 2
    assert all(why in problem for problem in found)
    assert not any(secret in problem for problem in found)


def test_a_password_that_is_the_users_name_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, STRONG | {"MYSQL_USER": "scheduling", "MYSQL_PASSWORD": "Scheduling"})

    assert "is the name of a user or a database" in problem


def test_the_password_inside_a_url_is_looked_at_instead(tmp_path: Path) -> None:
    urls = {
        "TASKSERVICE_MYSQL_URL": "mysql://task:root@db/tasks",
        "TASKSERVICE_REDIS_URL": "redis://cache:6379/0",
    }

    found = problems(tmp_path, STRONG | urls)

    assert "taskservice.mysql.url (TASKSERVICE_MYSQL_URL): PROFILE=prod: its password is one that" in found[0]
    assert "taskservice.redis.url (TASKSERVICE_REDIS_URL): PROFILE=prod: its password is not set" in found[1]


def test_other_profiles_do_not_ask(tmp_path: Path) -> None:
    assert not load_settings({}, {"PROFILE": "staging", "MYSQL_PASSWORD": "root"}, tmp_path).production


@pytest.mark.parametrize("name", ["production", "PROD", "Prd", "live"])
def test_a_profile_that_means_production_but_is_not_its_name_is_refused(tmp_path: Path, name: str) -> None:
    (problem,) = problems(tmp_path, {"PROFILE": name})

    assert problem == f"profile (PROFILE) is '{name}'; the rules of production are those of `prod`: write that"


def test_a_random_secret_has_nothing_against_it() -> None:
    assert weakness("q8-Jv2Lm") is None
