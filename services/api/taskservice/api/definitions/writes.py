"""POST /definitions, PUT, PATCH and DELETE /definitions/{id}, POST /definitions/{id}/enable | disable."""

from litestar import Response, delete, patch, post, put
from litestar.openapi import ResponseSpec
from litestar.params import FromPath

from taskservice.api.answering import answer, asking, no_parameters, position_header
from taskservice.api.auth import Access
from taskservice.api.commands.views import CommandView
from taskservice.api.definitions.asking import checked, expected_version
from taskservice.api.definitions.describing import describe, etag
from taskservice.api.definitions.views import DefinitionView
from taskservice.api.parts import PREFIX, ApiRequest
from taskservice.api.ports import CommandRow, DefinitionRow, StorageDown
from taskservice.api.wire.body import MERGE_PATCH, json_object, refuse_unknown, text_member
from taskservice.api.wire.problems import FieldError, ProblemError, not_found, validation_failed
from taskservice.api.wire.query import Query
from taskservice.domain.commands import (
    AnyCommand,
    CreateDefinition,
    DeleteDefinition,
    DisableDefinition,
    EnableDefinition,
    UpdateDefinition,
)
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.definition.validate import ValidDefinition
from taskservice.domain.definition.view import patched
from taskservice.domain.ids import is_uuid

MAX_NOTE = 500
Answer = Response[DefinitionView] | Response[CommandView]


@post("/definitions", access=Access.OPERATOR, operation_id="createDefinition", summary="Create", status_code=201)
async def create_definition(request: ApiRequest) -> Answer:
    """201 with `Location` and the definition."""
    no_parameters(request)
    valid = checked(request, await json_object(request), "create")
    _may_own(request, valid.spec)
    command = CreateDefinition(
        **asking(request),
        definition_id=request.parts.new_id(),
        spec=valid.spec,
        enabled=valid.enabled is not False,
    )
    return await _answer(request, command, status_code=201)


@put("/definitions/{definition_id:str}", access=Access.OPERATOR, operation_id="replaceDefinition", summary="Replace")
async def replace_definition(request: ApiRequest, definition_id: FromPath[str]) -> Answer:
    """A whole new version; `key`, and an absent `enabled`, stay as they are."""
    no_parameters(request)
    valid = checked(request, await json_object(request), "replace")
    row = await _known(request, definition_id)
    expected = expected_version(request.headers.get("if-match"), None if row is None else row.definition.version)
    _may_own(request, valid.spec)
    return await _answer(request, _update(request, definition_id, row, valid, expected))


@patch("/definitions/{definition_id:str}", access=Access.OPERATOR, operation_id="patchDefinition", summary="Change")
async def patch_definition(request: ApiRequest, definition_id: FromPath[str]) -> Answer:
    """RFC 7396 on the current version.

    Without `If-Match`, one that loses a race is applied to what the winner left, for as long as a write waits.
    """
    no_parameters(request)
    members = await json_object(request, media_types=MERGE_PATCH)
    clock = request.parts.clock
    until = clock.monotonic_ms() + request.parts.patience.looks_ms[-1]
    while True:
        row = await request.parts.definition(request.tenant_id, definition_id)
        wanted = expected_version(request.headers.get("if-match"), row.definition.version)
        if members.get("key", row.definition.spec.key) != row.definition.spec.key:
            raise _key_is_immutable()
        valid = checked(request, patched(row.definition.spec, members), "replace")
        _may_own(request, valid.spec)
        command = _update(request, definition_id, row, valid, wanted or row.definition.version)
        try:
            return await _answer(request, command)
        except ProblemError as problem:
            if problem.code != "version-mismatch" or wanted is not None or clock.monotonic_ms() >= until:
                raise


@delete(
    "/definitions/{definition_id:str}",
    access=Access.OPERATOR,
    operation_id="deleteDefinition",
    summary="Delete",
    status_code=202,
    responses={204: ResponseSpec(None, description="Deleted.", generate_examples=False)},
)
async def delete_definition(
    request: ApiRequest, definition_id: FromPath[str]
) -> Response[CommandView | None] | Response[CommandView]:
    """204; running instances finish, or are cancelled with `cancelRunning=true`. Its history stays readable."""
    query = Query(request.query_params.multi_items())
    cancel_running = query.boolean("cancelRunning")
    query.finish()
    header = request.headers.get("if-match")
    row = await _known(request, definition_id)
    command = DeleteDefinition(
        **asking(request),
        definition_id=definition_id,
        cancel_running=cancel_running,
        expected_version=expected_version(header, None if row is None else row.definition.version),
    )

    async def build(decided: CommandRow) -> Response[CommandView | None]:
        return Response(None, status_code=204, headers=position_header(decided))

    return await answer(request, command, build)


@post(
    "/definitions/{definition_id:str}/enable",
    access=Access.OPERATOR,
    operation_id="enableDefinition",
    summary="Enable",
    status_code=200,
)
async def enable_definition(request: ApiRequest, definition_id: FromPath[str]) -> Answer:
    """`{note?}`. Its first fire is strictly later."""
    note = await _note(request, definition_id)
    return await _answer(request, EnableDefinition(**asking(request), definition_id=definition_id, note=note))


@post(
    "/definitions/{definition_id:str}/disable",
    access=Access.OPERATOR,
    operation_id="disableDefinition",
    summary="Disable",
    status_code=200,
)
async def disable_definition(request: ApiRequest, definition_id: FromPath[str]) -> Answer:
    """`{note?}`. No due instants from here on; what was requested before still runs."""
    note = await _note(request, definition_id)
    return await _answer(request, DisableDefinition(**asking(request), definition_id=definition_id, note=note))


def _update(
    request: ApiRequest, definition_id: str, row: DefinitionRow | None, valid: ValidDefinition, expected: int | None
) -> UpdateDefinition:
    if row is not None and valid.key_given and valid.spec.key != row.definition.spec.key:
        raise _key_is_immutable()
    return UpdateDefinition(
        **asking(request),
        definition_id=definition_id,
        spec=valid.spec,
        enabled=valid.enabled,
        expected_version=expected,
    )


def _key_is_immutable() -> ProblemError:
    detail = "key is immutable: leave it out, or send it as it is."
    return validation_failed(FieldError(pointer="#/key", code="immutable", detail=detail))


def _may_own(request: ApiRequest, spec: DefinitionSpec) -> None:
    """Nobody makes a definition that they may not change afterwards."""
    if spec.min_role == "ADMIN" and request.identity.role != "ADMIN":
        raise ProblemError("forbidden", f"The role {request.identity.role} may not set minRole ADMIN.")


async def _known(request: ApiRequest, definition_id: str) -> DefinitionRow | None:
    """The row as it can be read now; None when there is none yet, or none can be read: the leader judges.

    :raises ProblemError: the 404 of an id that is none, or of a definition that is not there while all is projected.
    """
    if not is_uuid(definition_id):
        raise not_found()
    try:
        row = await request.parts.definitions.get((request.tenant_id, definition_id))
    except StorageDown:
        return None
    gone = row is None or row.definition.deleted_at is not None
    if gone and not request.parts.backlog(request.tenant_id).last.behind:
        raise not_found()
    return row


async def _note(request: ApiRequest, definition_id: str) -> str:
    no_parameters(request)
    members = await json_object(request, empty=True)
    faults = refuse_unknown(members, ("note",))
    note = text_member(members, "note", MAX_NOTE, faults)
    if faults:
        raise validation_failed(*faults)
    if not is_uuid(definition_id):
        raise not_found()
    return note


async def _answer(request: ApiRequest, command: AnyCommand, status_code: int = 200) -> Answer:
    async def build(decided: CommandRow) -> Response[DefinitionView]:
        definition_id = decided.resource.removeprefix("definitions/")
        row = await request.parts.definition(request.tenant_id, definition_id, deleted=True)
        headers = {**position_header(decided), "ETag": etag(row)}
        if status_code == 201:
            headers["Location"] = f"{PREFIX}/definitions/{definition_id}"
        return Response(await describe(request, row), status_code=status_code, headers=headers)

    return await answer(request, command, build)
