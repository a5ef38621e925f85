"""Passwords that production must not run with: short ones, and those that every guesser tries first."""

from collections.abc import Collection
from typing import Final

SHORTEST: Final = 8
KNOWN: Final = frozenset({
    "12345678", "123456789", "1234567890", "00000000", "11111111", "88888888", "66666666", "a1234567", "abcd1234",
    "admin", "admin123", "admin1234", "administrator", "changeit", "changeme", "change-me", "change_me", "default",
    "default_token", "foobared", "guest", "letmein", "mariadb", "mysql", "mysql123", "nacos", "p@ssw0rd", "passw0rd",
    "password", "password1", "password123", "qwer1234", "qwerty123", "qwertyuiop", "redis", "redis123", "root",
    "root1234", "rootroot", "secret", "task-service", "task_service", "taskservice", "test1234", "toor",
    "xxl_job", "xxl-job", "your-password", "your_password", "yourpassword",
})  # fmt: skip
"""In lower case. Some are shorter than `SHORTEST`: the message is another."""


def weakness(secret: str, names: Collection[str] = ()) -> str | None:
    """Why a secret is refused in production; None when nothing is known against it. Never holds the secret.

    :param names: of users and databases: no password may be one of them.
    """
    folded = secret.lower()
    if not secret:
        return "is not set"
    if folded in KNOWN or folded.strip("<>[]{}") in KNOWN:
        return "is one that everybody knows"
    if folded in {name.lower() for name in names if name}:
        return "is the name of a user or a database"
    if len(secret) < SHORTEST:
        return f"has {len(secret)} characters; at least {SHORTEST} are asked for"
    if len(set(secret)) == 1:
        return "is one character over and over"
    return None
