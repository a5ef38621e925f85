"""A connection to the database past the service: for tests and benchmarks that count what is there."""

from typing import Any, Final
from urllib.parse import unquote, urlsplit

import pymysql
from pymysql.cursors import Cursor

ANSWER_WITHIN_S: Final = 30
DEFAULT_PORT: Final = 3_306


def connect(
    mysql_url: str, *, answer_within_s: int = ANSWER_WITHIN_S, cursors: type[Cursor] = Cursor
) -> "pymysql.Connection[Any]":
    """A connection in autocommit mode; close it.

    :param mysql_url: `mysql://user:password@host:port/database`; without a database none is chosen.
    :param answer_within_s: longest wait for a connection, and for each answer.
    :param cursors: what rows come as.
    :raises pymysql.err.Error: no connection.
    """
    parts = urlsplit(mysql_url)
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port or DEFAULT_PORT,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=parts.path.lstrip("/") or None,
        cursorclass=cursors,
        autocommit=True,
        connect_timeout=answer_within_s,
        read_timeout=answer_within_s,
        write_timeout=answer_within_s,
    )
