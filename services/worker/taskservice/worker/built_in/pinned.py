"""Resolving a host once, checking every address, and connecting to exactly what was checked."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final, TypeAlias

import httpx

from taskservice.worker.built_in.addresses import is_same, refusal
from taskservice.worker.built_in.own_servers import OwnServer

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


def is_this_host(address: str) -> bool:
    """Whether it is one of this host's own addresses, a public one as well. On a host that lets programs bind any
    address (`ip_nonlocal_bind`) there is no telling: False.
    """
    foreign = "2001:db8::1" if ":" in address else "192.0.2.1"  # of documentation: nobody's
    return _can_be_bound(address) and not _can_be_bound(foreign)


def _can_be_bound(address: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


class Guard:
    """Decides which addresses a URL may be fetched from.

    :param allow: `host:port` pairs, as the URL spells the host, that pass whatever their address.
    :param ports: that others may have; empty = any.
    :param own: this deployment's servers. `allow` opens those of them that may be.
    """

    def __init__(
        self,
        allow: Sequence[str],
        resolver: Resolve = resolve,
        *,
        ports: Collection[int] = (),
        own: Sequence[OwnServer] = (),
        here: Callable[[str], bool] = is_this_host,
    ) -> None:
        self._allow = frozenset(pair.lower() for pair in allow)
        self._resolve = resolver
        self._ports = frozenset(ports)
        self._own = tuple(own)
        self._here = here

    async def pinned(self, url: httpx.URL) -> Sequence[str]:
        """The addresses to connect to, each checked, in the resolver's order.

        One refused address refuses them all: an answer that mixes good and bad ones is how rebinding starts.

        :raises AddressRefusedError: scheme, user information, port or an address is not allowed.
        :raises OSError: the host is not known.
        """
        if url.scheme not in DEFAULT_PORTS:
            raise AddressRefusedError(f"scheme {url.scheme!r}: only http and https are called")
        if not url.host:
            raise AddressRefusedError("the URL names no host")
        if url.userinfo:
            raise AddressRefusedError("the URL carries a user or password; use a header")
        port = url.port or DEFAULT_PORTS[url.scheme]
        allowed = _pair(url.host, port) in self._allow
        if not allowed and self._ports and port not in self._ports:
            raise AddressRefusedError(f"port {port} is not one of app.task.http.ports of the worker")
        addresses = await self._resolve(url.host, port)
        if not addresses:
            raise OSError(f"{url.host} has no address")
        own = await self._own_at(port, addresses)
        if own is not None and not (allowed and own.may_be_allowed):
            raise AddressRefusedError(f"{url.host}:{port} is {own.name}, which tasks may not call")
        if not allowed:
            self._check(url.host, port, addresses)
        return addresses

    def _check(self, host: str, port: int, addresses: Sequence[str]) -> None:
        for address in addresses:
            why = refusal(address) or ("the worker's own host" if self._here(address) else None)
            if why is not None:
                raise AddressRefusedError(
                    f"{_pair(host, port)} is {_words(host, address, why)}, which tasks may not call;"
                    " app.task.http.allow of the worker may list it"
                )

    async def _own_at(self, port: int, addresses: Sequence[str]) -> OwnServer | None:
        """The first of this deployment's servers that answers at one of these addresses."""
        for server in self._own:
            if server.port == port and await self._answers_at(server, addresses):
                return server
        return None

    async def _answers_at(self, server: OwnServer, addresses: Sequence[str]) -> bool:
        try:
            known = await self._resolve(server.host, server.port)
        except OSError:
            return True  # it has no address just now, so this can't be told apart from it
        return any(self._is_one_host(one, other) for one in known for other in addresses)

    def _is_one_host(self, one: str, other: str) -> bool:
        """A server that listens on loopback mostly listens on the other addresses of its host, too."""
        return is_same(one, other) or (self._here(one) and self._here(other))


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


def _words(host: str, address: str, why: str) -> str:
    """What is refused: `a loopback address`, of a name with the address that it has; `10.1.2.3 (private)`."""
    if host != address:
        return f"{address} ({why})"
    return f"a {why} address" if why in {"loopback", "private"} else f"an address that is refused ({why})"


def _pair(host: str, port: int) -> str:
    return f"[{host}]:{port}".lower() if ":" in host else f"{host}:{port}".lower()
