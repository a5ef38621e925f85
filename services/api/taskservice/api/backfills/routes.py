"""POST /definitions/{id}/backfill and /definitions/{id}/backfill/{command}/cancel."""

from litestar import Response, post
from litestar.params import FromPath

from taskservice.api.answering import answer, asking, no_parameters, not_yet, position_header, prefers_async, send
from taskservice.api.auth import Access
from taskservice.api.backfills.asked import AskedBackfill, asked_backfill
from taskservice.api.backfills.plan import Part, Plan, parts_of, plan_backfill
from taskservice.api.backfills.views import BackfillView, CancelledBackfillView, backfill_view
from taskservice.api.commands.views import CommandView
from taskservice.api.parts import PREFIX, ApiRequest
from taskservice.api.ports import CommandRow, StorageDown
from taskservice.api.wire.body import json_object, refuse_unknown
from taskservice.api.wire.problems import not_found, validation_failed
from taskservice.api.writes.gateway import Undecided
from taskservice.api.writes.idempotency import HEADER, body_hash, read_key
from taskservice.api.writes.outcomes import accepted
from taskservice.domain.commands import BackfillDefinition, CancelBackfill
from taskservice.domain.ids import is_uuid


@post(
    "/definitions/{definition_id:str}/backfill",
    access=Access.OPERATOR,
    operation_id="backfillDefinition",
    summary="Run past instants",
    status_code=201,
)
async def backfill_definition(
    request: ApiRequest, definition_id: FromPath[str]
) -> Response[BackfillView] | Response[CommandView]:
    """`{from, to, maxConcurrency?, dryRun?, note?}`: 201, or 200 with `dryRun`."""
    no_parameters(request)
    asked = asked_backfill(await json_object(request))
    row = await request.parts.definition(request.tenant_id, definition_id)
    plan = await plan_backfill(request.parts.reads, row.definition, asked)
    if asked.dry_run:
        fires = [(due.instant, due.version.version) for due in plan.fires]
        view = backfill_view(
            definition_id,
            fires,
            command_id=None,
            instants=plan.instants,
            max_concurrency=asked.max_concurrency,
        )
        return Response(view, status_code=200)
    first, *others = parts_of(plan)
    command = _command(request, definition_id, asked, first)
    sent = await send(request, command)
    backfill_id = sent.command_id if isinstance(sent, Undecided) else sent.id
    if backfill_id != command.id:
        others = [first, *others]  # sent again under its key: what is still planned was not taken then
    for part in (one for one in others if one.fires):
        sent = await _send_part(request, _command(request, definition_id, asked, part, backfill_id), part)
    if isinstance(sent, Undecided):
        return not_yet(request, command, backfill_id)
    try:
        return await _made(request, definition_id, asked, plan, backfill_id, sent)
    except StorageDown:  # taken, and the database went away: it is not lost, only not readable now
        return not_yet(request, command, backfill_id)


@post(
    "/definitions/{definition_id:str}/backfill/{command_id:str}/cancel",
    access=Access.OPERATOR,
    operation_id="cancelBackfill",
    summary="Cancel a backfill",
    status_code=200,
)
async def cancel_backfill(
    request: ApiRequest, definition_id: FromPath[str], command_id: FromPath[str]
) -> Response[CancelledBackfillView] | Response[CommandView]:
    """What waits of it is CANCELLED, what runs is asked to end; again: 200."""
    no_parameters(request)
    members = await json_object(request, empty=True)
    faults = refuse_unknown(members, ())
    if faults:
        raise validation_failed(*faults)
    await _must_be_a_backfill(request, definition_id, command_id)

    async def build(decided: CommandRow) -> Response[CancelledBackfillView]:
        left = await request.parts.reads.open_of_backfill(request.tenant_id, command_id)
        view = CancelledBackfillView(command_id=command_id, task_definition_id=definition_id, open=left.open)
        return Response(view, headers=position_header(decided))

    command = CancelBackfill(**asking(request), definition_id=definition_id, backfill_id=command_id)
    return await answer(request, command, build)


async def _must_be_a_backfill(request: ApiRequest, definition_id: str, command_id: str) -> None:
    """:raises ProblemError: the 404 of what is none, of another definition, or of another tenant."""
    await request.parts.definition(request.tenant_id, definition_id)
    found = await request.parts.reads.commands([command_id]) if is_uuid(command_id) else {}
    row = found.get(command_id)
    if (
        row is None
        or row.tenant_id != request.tenant_id
        or row.type != BackfillDefinition.__name__
        or row.resource != f"definitions/{definition_id}"
    ):
        raise not_found()


def _command(
    request: ApiRequest, definition_id: str, asked: AskedBackfill, part: Part, backfill_id: str | None = None
) -> BackfillDefinition:
    """A command of a backfill, whose id is that of its first."""
    who = asking(request)
    return BackfillDefinition(
        **who,
        definition_id=definition_id,
        backfill_id=backfill_id or who["id"],
        fires=part.fires,
        specs=part.specs,
        max_concurrency=asked.max_concurrency,
        note=asked.note,
    )


async def _send_part(request: ApiRequest, command: BackfillDefinition, part: Part) -> CommandRow | Undecided:
    """A further command of a backfill, under a key of its own that no client can send.

    :raises ProblemError: what the gateway raises, and the rejection.
    """
    given = read_key(request.headers.get(HEADER))
    sent = await request.parts.gateway.send(
        command,
        body_sha=body_hash(request.method, request.url.path, b"", await request.body()),
        client_key=None if given is None else f"\x01{part.fires[0][0]}\x01{given}",
        respond_async=prefers_async(request),
    )
    return sent if isinstance(sent, Undecided) else accepted(sent)


async def _made(
    request: ApiRequest, definition_id: str, asked: AskedBackfill, plan: Plan, backfill_id: str, decided: CommandRow
) -> Response[BackfillView]:
    """201: what the rows say that it made, so that a repetition is answered as the first time."""
    most = len(plan.rows) + len(plan.fires) + 1
    rows = await request.parts.reads.fires_between(request.tenant_id, definition_id, asked.begin, asked.end, most)
    fires = [(row.fire_time, row.version) for row in rows if row.command_id == backfill_id]
    view = backfill_view(
        definition_id,
        fires,
        command_id=backfill_id,
        instants=plan.instants,
        max_concurrency=asked.max_concurrency,
    )
    headers = {**position_header(decided), "Location": f"{PREFIX}/commands/{backfill_id}"}
    return Response(view, status_code=201, headers=headers)
