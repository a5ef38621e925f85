"""Answers to writes: the resource, or 202 with the command."""

from collections.abc import Awaitable, Callable
from typing import TypedDict, TypeVar

from litestar import Response

from taskservice.api.commands.views import CommandView, pending_view
from taskservice.api.parts import PREFIX, ApiRequest
from taskservice.api.ports import CommandRow, StorageDown
from taskservice.api.wire.problems import ProblemError
from taskservice.api.wire.query import Query
from taskservice.api.writes.gateway import Sent, Undecided
from taskservice.api.writes.idempotency import HEADER, body_hash, read_key
from taskservice.api.writes.outcomes import accepted
from taskservice.domain.commands import AnyCommand, Role, TriggerDefinition
from taskservice.domain.events import Actor

T = TypeVar("T")
MAX_SOURCE = 64
"""Characters of column `source`; the longest IPv6 address with a zone has fewer."""


def actor_of(request: ApiRequest) -> Actor:
    """Who asks, as events name it."""
    return Actor(type="api_key", id=request.identity.id)


def source_of(request: ApiRequest) -> str:
    """The address that the request came from; that of a proxy, if there is one."""
    return "" if request.client is None else request.client.host[:MAX_SOURCE]


def prefers_async(request: ApiRequest) -> bool:
    """Whether the client does not want to wait (RFC 7240)."""
    header = request.headers.get("prefer", "")
    return any(part.split(";")[0].strip().lower() == "respond-async" for part in header.split(","))


def no_parameters(request: ApiRequest) -> None:
    """Refuse query parameters: the route has none.

    :raises ProblemError: for any.
    """
    Query(request.query_params.multi_items()).finish()


async def send(request: ApiRequest, command: AnyCommand, partition: int | None = None) -> CommandRow | Undecided:
    """Submit a command, with the request's idempotency key on POST, and wait for its outcome.

    :param partition: whose leader decides; None = that of the tenant.
    :raises ProblemError: `limit-reached` when the tenant asks too fast, what the gateway raises, and the rejection.
    """
    client_key = read_key(request.headers.get(HEADER)) if request.method == "POST" else None
    _spend(request, len(command.params) if isinstance(command, TriggerDefinition) else 1)
    sent: Sent = await request.parts.gateway.send(
        command,
        body_sha=body_hash(request.method, request.url.path, request.scope["query_string"], await request.body()),
        client_key=client_key,
        respond_async=prefers_async(request),
        partition=partition,
    )
    return sent if isinstance(sent, Undecided) else accepted(sent)


def _spend(request: ApiRequest, items: int) -> None:
    """Count a change against the tenant's rate.

    :raises ProblemError: `limit-reached`.
    """
    parts = request.parts
    wait_ms = parts.writes.take(request.tenant_id, items, parts.clock.monotonic_ms())
    if wait_ms:
        detail = "The tenant asks for more changes a second than this api takes; nothing was taken."
        raise ProblemError("limit-reached", detail, retry_after_ms=wait_ms)


async def answer(
    request: ApiRequest, command: AnyCommand, build: Callable[[CommandRow], Awaitable[Response[T]]]
) -> Response[T] | Response[CommandView]:
    """Submit a command and answer with what it made, or with 202 when that can't be read yet.

    :param build: the answer, of the accepted outcome.
    :raises ProblemError: what `send` raises.
    """
    decided = await send(request, command)
    if isinstance(decided, Undecided):
        return not_yet(request, command, decided.command_id)
    try:
        return await build(decided)
    except StorageDown:  # accepted, and the database went away: it is not lost, only not readable now
        return not_yet(request, command, decided.id)


def not_yet(request: ApiRequest, command: AnyCommand, command_id: str) -> Response[CommandView]:
    """202: where to ask for the outcome."""
    headers = {"Location": f"{PREFIX}/commands/{command_id}"}
    if prefers_async(request):
        headers["Preference-Applied"] = "respond-async"
    view = pending_view(command_id, type(command).__name__, actor_of(request))
    return Response(view, status_code=202, headers=headers)


def position_header(row: CommandRow) -> dict[str, str]:
    """The position at which the outcome was decided; what is read from there on includes it."""
    return {"Task-Position": str(row.position)}


class Asking(TypedDict):
    """Members that every command has."""

    id: str
    tenant_id: str
    actor: Actor
    role: Role
    traceparent: str | None
    source: str


def asking(request: ApiRequest) -> Asking:
    """A new command's id, and who asks."""
    return {
        "id": request.parts.new_id(),
        "tenant_id": request.tenant_id,
        "actor": actor_of(request),
        "role": request.identity.role,
        "traceparent": request.facts.traceparent,
        "source": source_of(request),
    }
