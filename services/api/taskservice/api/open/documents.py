"""/problems/<code>, and /openapi.json: both work offline."""

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from taskservice.api.answering import no_parameters
from taskservice.api.auth import Access
from taskservice.api.parts import ApiRequest
from taskservice.api.wire.problems import PROBLEMS, not_found

CACHED = {"Cache-Control": "public, max-age=3600"}


class ProblemKindView(msgspec.Struct, kw_only=True):
    """What a problem code means."""

    code: str
    status: int
    title: str
    meaning: str


@get("/problems/{code:str}", access=Access.OPEN, operation_id="getProblemKind", summary="What a problem code means")
async def get_problem_kind(request: ApiRequest, code: FromPath[str]) -> Response[ProblemKindView]:
    """The `type` of a problem leads here."""
    no_parameters(request)
    kind = PROBLEMS.get(code)
    if kind is None:
        raise not_found()
    view = ProblemKindView(code=code, status=kind.status, title=kind.title, meaning=kind.meaning)
    return Response(view, headers=CACHED)


@get("/openapi.json", access=Access.OPEN, include_in_schema=False)
async def get_openapi(request: ApiRequest) -> Response[bytes]:
    """OpenAPI 3.1 of this service."""
    no_parameters(request)
    document: bytes = request.app.state.openapi.text
    return Response(document, headers=CACHED, media_type="application/json")
