"""Resolving a host once, checking every address, and connecting to exactly what was checked."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

import httpx

from taskservice.worker.built_in.addresses import refusal

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) → addresses; raises OSError when there are none."""


class AddressRefusedError(Exception):
    """The guard does not let this request out; the message says why."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of `host`, by the system's resolver.

    :raises OSError: when it has none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Guard:
    """Decides which addresses a URL may be fetched from.

    :param allow: `host:port` pairs, as the URL spells the host, that pass whatever their address.
    """

    def __init__(self, allow: Sequence[str], resolver: Resolve = resolve) -> None:
        self._allow = frozenset(pair.lower() for pair in allow)
        self._resolve = resolver

    async def pinned(self, url: httpx.URL) -> Sequence[str]:
        """The addresses to connect to, each checked, in the resolver's order.

        One refused address refuses them all: an answer that mixes good and bad ones is how rebinding starts.

        :raises AddressRefusedError: scheme, user information or an address is not allowed.
        :raises OSError: the host is not known.
        """
        if url.scheme not in DEFAULT_PORTS:
            raise AddressRefusedError(f"scheme {url.scheme!r}: only http and https are called")
        if not url.host:
            raise AddressRefusedError("the URL names no host")
        if url.userinfo:
            raise AddressRefusedError("the URL carries a user or password; use a header")
        port = url.port or DEFAULT_PORTS[url.scheme]
        addresses = await self._resolve(url.host, port)
        if not addresses:
            raise OSError(f"{url.host} has no address")
        if _pair(url.host, port) not in self._allow:
            for address in addresses:
                why = refusal(address)
                if why is not None:
                    raise AddressRefusedError(
                        f"{url.host} is {address} ({why}), which tasks may not call;"
                        " app.task.http.allow of the worker lists exceptions"
                    )
        return addresses


def at_address(request: httpx.Request, address: str) -> httpx.Request:
    """The same request to `address`: the URL's host still names itself in Host, in SNI and in the certificate check."""
    host = request.url.host
    pinned = httpx.Request(
        request.method,
        request.url.copy_with(host=address.partition("%")[0]),
        headers=request.headers,  # holds Host already
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )
    pinned.headers["Host"] = request.headers["Host"]
    return pinned


def _pair(host: str, port: int) -> str:
    return f"[{host}]:{port}".lower() if ":" in host else f"{host}:{port}".lower()
