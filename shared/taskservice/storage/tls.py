"""TLS to the database: asked for means spoken, with a certificate that was checked, or there is no connection."""

import functools
import ssl
from typing import Any, Final
from urllib.parse import parse_qs

import aiomysql
import pymysql
from pymysql.constants import CLIENT, CR

TRUE: Final = "true"


class TlsConnection(aiomysql.Connection):  # type: ignore[misc]
    """A connection that speaks TLS or ends.

    The driver's own goes on in plain text when the server does not offer TLS, and whoever stands between can see to
    that: the client would then show its password.
    """

    async def _request_authentication(self) -> None:
        if not self.server_capabilities & CLIENT.SSL:
            raise pymysql.err.OperationalError(CR.CR_SSL_CONNECTION_ERROR, "it offers no TLS, which was asked for")
        await super()._request_authentication()

    def close(self) -> None:
        """End it now: TLS would wait for the server's farewell, up to half a minute."""
        writer = self._writer
        super().close()
        if writer is not None:
            writer.transport.abort()


async def connect(tls: ssl.SSLContext | None, **target: Any) -> Any:
    """A connection of the driver, in TLS if there is a context.

    :raises OSError: it can't be made, or the certificate is not the one that it should be.
    :raises pymysql.err.Error: likewise, or the server refuses.
    """
    if tls is None:
        return await aiomysql.connect(**target)
    connection = TlsConnection(ssl=tls, **target)
    await connection._connect()  # noqa: SLF001 - as the driver's own `connect` does
    return connection


def tls_of(query: str) -> ssl.SSLContext | None:
    """What `?tls=true&tls-ca-file=/ca.pem&tls-check-name=false` of a URL asks for; None = plain text.

    :raises OSError: the file can't be read, or holds no certificate.
    """
    told = {name: values[-1] for name, values in parse_qs(query).items()}
    if told.get("tls") != TRUE:
        return None
    return _context(told.get("tls-ca-file") or None, told.get("tls-check-name", TRUE) == TRUE)


@functools.lru_cache(maxsize=8)
def _context(authorities: str | None, check_name: bool) -> ssl.SSLContext:  # noqa: FBT001 - a key of the cache
    """Kept: reading the system's authorities takes 50 ms of the loop."""
    context = ssl.create_default_context(cafile=authorities)
    context.check_hostname = check_name
    return context
