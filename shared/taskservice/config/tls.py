"""Settings of TLS to Redis and the database: asked for and not spoken, or a file that is none, stops the start."""

import ssl
from typing import Final
from urllib.parse import parse_qs, urlsplit

from taskservice.config.effective import Effective
from taskservice.config.settings import MysqlSettings, mysql_from_url

TLS_KEYS: Final = {
    server: (f"{server}.tls", f"{server}.tls-ca-file", f"taskservice.{server}.url") for server in ("mysql", "redis")
}
REDIS_QUERY: Final = frozenset({
    "db", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_cert_reqs", "ssl_check_hostname", "ssl_keyfile",
})  # fmt: skip
"""What the URL of Redis may hold behind its `?`: the names that redis-py gives them."""


def speaks_tls(values: Effective, server: str) -> bool:
    """Whether what is in force asks for TLS to `mysql` or `redis`: the URL if there is one, else the switch."""
    url = values.optional(f"taskservice.{server}.url")
    if not isinstance(url, str):
        return values.get(f"{server}.tls", bool)
    if server == "redis":
        return urlsplit(url).scheme == "rediss"
    named = mysql_from_url(url)
    return named is not None and named.tls


def in_vain(values: Effective, server: str) -> str | None:
    """TLS is asked for by a setting that the URL in force overrules: somebody would believe it spoken."""
    if speaks_tls(values, server):
        return None
    how = "rediss:// in it" if server == "redis" else "?tls=true behind it"
    if values.get(f"{server}.tls", bool):
        return (
            f"{values.place(f'{server}.tls')} is true, but {values.place(f'taskservice.{server}.url')} wins: say {how}"
        )
    if values.get(f"{server}.tls-ca-file", str):
        return f"{values.place(f'{server}.tls-ca-file')} does nothing: TLS is not asked for; set {server}.tls"
    return None


def faulty_authorities(values: Effective, server: str) -> str | None:
    """The file of authorities is none."""
    key = f"{server}.tls-ca-file"
    path = values.get(key, str)
    if not path:
        return None
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        why = "holds no certificate in PEM" if isinstance(error, ssl.SSLError) else f"can't be read ({error.strerror})"
        return f"{values.place(key)} names {path}, which {why}"
    return None


def unknown_in_redis_url(values: Effective) -> str | None:
    """A word behind the `?` of Redis' URL that means nothing."""
    url = values.optional("taskservice.redis.url")
    if not isinstance(url, str):
        return None
    unknown = sorted(parse_qs(urlsplit(url).query, keep_blank_values=True).keys() - REDIS_QUERY)
    if not unknown:
        return None
    allowed = ", ".join(sorted(REDIS_QUERY))
    return f"{values.place('taskservice.redis.url')} has {', '.join(unknown)} behind its ?; allowed are {allowed}"


def unchecked_redis(values: Effective) -> str | None:
    """TLS to whoever answers."""
    url = values.optional("taskservice.redis.url")
    if not isinstance(url, str) or not speaks_tls(values, "redis"):
        return None
    if parse_qs(urlsplit(url).query).get("ssl_cert_reqs", ["required"])[-1] == "required":
        return None
    return f"{values.place('taskservice.redis.url')}: the certificate of Redis is not checked: anybody may pose as it"


def mysql_tls(values: Effective, named: MysqlSettings | None) -> tuple[bool, str, bool]:
    """Whether TLS is spoken to the database, the file of authorities, and whether its name is checked."""
    given = values.get("mysql.tls-ca-file", str)
    if named is None:
        return values.get("mysql.tls", bool), given, values.get("mysql.tls-check-name", bool)
    return named.tls, named.tls_ca_file or given, named.tls_check_name
