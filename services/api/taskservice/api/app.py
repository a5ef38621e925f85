"""The application: routes, who may use them, how errors leave."""

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.router import Router

from taskservice.api.auth import Access, authenticate, authorize
from taskservice.api.backfills.routes import backfill_definition, cancel_backfill
from taskservice.api.commands.routes import get_command, list_commands
from taskservice.api.definitions.preview import preview
from taskservice.api.definitions.reads import get_definition, list_definitions
from taskservice.api.definitions.triggering import trigger_definition
from taskservice.api.definitions.writes import (
    create_definition,
    delete_definition,
    disable_definition,
    enable_definition,
    patch_definition,
    replace_definition,
)
from taskservice.api.events.routes import list_events, list_instance_events
from taskservice.api.failing import HANDLERS
from taskservice.api.fires.routes import list_fires
from taskservice.api.instances.logs import list_logs
from taskservice.api.instances.routes import get_instance, list_instances
from taskservice.api.instances.writes import cancel_instance, retry_instance
from taskservice.api.open.documents import ROUTES as DOCUMENT_ROUTES
from taskservice.api.open.health import live, ready
from taskservice.api.open.metrics import metrics
from taskservice.api.open.openapi import Document
from taskservice.api.parts import PREFIX, ApiRequest, Parts
from taskservice.api.ports import KeyRecord
from taskservice.api.scheduler.routes import get_status, list_running, restart, start, stop
from taskservice.api.wire.accept import accepts
from taskservice.api.wire.body import JSON, MAX_BODY_BYTES
from taskservice.api.wire.problems import MEDIA_TYPE, ProblemError
from taskservice.api.wire.shell import Shell, facts_of
from taskservice.api.workers.routes import list_workers

TENANT_ROUTES: tuple[HTTPRouteHandler, ...] = (
    create_definition,
    list_definitions,
    preview,
    get_definition,
    replace_definition,
    patch_definition,
    delete_definition,
    enable_definition,
    disable_definition,
    trigger_definition,
    backfill_definition,
    cancel_backfill,
    list_fires,
    list_instances,
    get_instance,
    cancel_instance,
    retry_instance,
    list_logs,
    list_instance_events,
    list_events,
    get_status,
    list_running,
    stop,
    start,
    restart,
    list_commands,
    get_command,
    list_workers,
)
OPEN_ROUTES: tuple[HTTPRouteHandler, ...] = (live, ready, metrics, *DOCUMENT_ROUTES)


async def guard(
    connection: ASGIConnection[HTTPRouteHandler, KeyRecord, None, State], handler: BaseRouteHandler
) -> None:
    """Who asks, whether they may, and whether there is room: before anything of the request is read.

    :raises ProblemError: 401, 403, 406, 503.
    """
    access = handler.opt.get("access")
    if access is Access.OPEN:
        return
    parts = connection.app.state.parts
    facts = facts_of(connection.scope)
    facts.place = parts.admission.enter()
    identity = await _identify(parts, connection)
    facts.tenant_id, facts.key_id = identity.tenant_id, identity.id
    connection.scope["user"] = identity
    authorize(identity, access if isinstance(access, Access) else None)
    produces = handler.opt.get("produces", JSON)
    if not accepts(connection.headers.get("accept"), (*produces, MEDIA_TYPE)):
        raise ProblemError("not-acceptable", f"This resource is {' or '.join(produces)}.")


async def _identify(parts: Parts, connection: ASGIConnection[HTTPRouteHandler, KeyRecord, None, State]) -> KeyRecord:
    """Whose key came; addresses that try wrong ones are slowed down, without holding up those that have a right one.

    :raises ProblemError: 401, or 429 for an address that tries too often.
    """
    try:
        return await authenticate(parts.keys, connection.headers.get("authorization"))
    except ProblemError as problem:
        if problem.code == "unauthenticated":
            address = connection.client.host if connection.client is not None else ""
            wait_ms = parts.failures.take(address, 1, parts.clock.monotonic_ms())
            if wait_ms:
                detail = "Too many requests without a valid key came from this address."
                raise ProblemError("limit-reached", detail, retry_after_ms=wait_ms) from None
        raise


def create_app(parts: Parts) -> Shell:
    """The ASGI application that serves with these parts."""
    app = Litestar(
        route_handlers=[Router(PREFIX, route_handlers=list(TENANT_ROUTES)), *OPEN_ROUTES],
        guards=[guard],
        request_class=ApiRequest,
        request_max_body_size=MAX_BODY_BYTES,
        exception_handlers=HANDLERS,
        state=State({"parts": parts, "openapi": Document(PREFIX, TENANT_ROUTES, OPEN_ROUTES, parts.version)}),
        openapi_config=None,
        logging_config=None,
    )
    return Shell(app, parts.clock, parts.random_bytes, parts.metrics.observe)


__all__ = ["OPEN_ROUTES", "TENANT_ROUTES", "create_app", "guard"]
