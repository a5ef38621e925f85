"""Keys of other programs in our files: what a Spring application's file says of the same servers is taken over; the
rest is named, so that nobody believes it in force.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from taskservice.config.keys import SETTINGS, Raw

_SAME: Mapping[str, str] = MappingProxyType(
    {
        "server.port": "app.task.api.port",
        "server.address": "app.task.api.host",
        "spring.profiles.active": "profile",
        "spring.datasource.username": "mysql.user",
        "spring.datasource.password": "mysql.password",
        "spring.redis.username": "redis.user",
        "spring.data.redis.username": "redis.user",
        "spring.cloud.nacos.server-addr": "nacos.server-addr",
        "spring.cloud.nacos.config.server-addr": "nacos.server-addr",
        "spring.cloud.nacos.discovery.server-addr": "nacos.server-addr",
        **{
            f"{root}.{member}": f"redis.{member}"
            for root in ("spring.redis", "spring.data.redis")
            for member in ("host", "port", "password")
        },
    }
)
_JDBC = re.compile(r"jdbc:(?:mysql|mariadb)://([^\s:/?@]+)(?::(\d{1,5}))?/([^\s?/]+)(?:\?\S*)?")
_NAMED_AT_MOST = 20
_BLOCKS = ("mysql.", "redis.", "nacos.")
"""Blocks of the first design: what is unknown in them is looked at for slips."""


def translated(key: str, raw: Raw) -> dict[str, Raw]:
    """The settings that a foreign key stands for; empty = none."""
    if key == "spring.datasource.url":
        match = _JDBC.fullmatch(str(raw))
        if match is None:
            return {}
        return {"mysql.host": match[1], "mysql.port": match[2] or "3306", "mysql.database": match[3]}
    same = _SAME.get(key)
    return {} if same is None else {same: raw}


def told_by_name(keys: Sequence[str], place: str) -> tuple[str, ...]:
    """One warning that names the keys that mean nothing here, at most 20 of them; none when there are none."""
    if not keys:
        return ()
    shown = [_with_nearest(key) for key in keys[:_NAMED_AT_MOST]]
    more = len(keys) - len(shown)
    return (
        f"{place}: not read, since no setting has such a key: {', '.join(shown)}{f', and {more} more' if more else ''}",
    )


def _with_nearest(key: str) -> str:
    nearest = difflib.get_close_matches(key, list(SETTINGS), n=1, cutoff=0.8) if key.startswith(_BLOCKS) else []
    return f"{key} (did you mean {nearest[0]}?)" if nearest else key
