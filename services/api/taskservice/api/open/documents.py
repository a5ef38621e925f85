"""/openapi.json and what is made of it for people and programs: /docs, /problems, /schemas. All of it works offline."""

from functools import cache
from typing import Any

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from taskservice.api.answering import no_parameters
from taskservice.api.auth import Access
from taskservice.api.open.contract.problems import example
from taskservice.api.open.contract.service_views import ProblemKindPage, ProblemKindView, SchemaEntry, SchemaPage
from taskservice.api.open.openapi import Document
from taskservice.api.open.pages.rendering import HEADERS, render
from taskservice.api.parts import ApiRequest
from taskservice.api.wire.accept import preferred
from taskservice.api.wire.problems import PROBLEMS, ProblemError, not_found

CACHED = {"Cache-Control": "public, max-age=3600"}
JSON, HTML = "application/json", "text/html"


@get("/openapi.json", access=Access.OPEN, operation_id="getOpenapi")
async def get_openapi(request: ApiRequest) -> Response[bytes]:
    """OpenAPI 3.1 of this service."""
    no_parameters(request)
    return Response(_document(request).text, headers=CACHED, media_type=JSON)


@get("/docs", access=Access.OPEN, operation_id="getDocs")
async def get_docs(request: ApiRequest) -> Response[str]:
    """The same as a page."""
    no_parameters(request)
    _wanted(request, (HTML,))
    return _page(_document(request).page)


@get("/problems", access=Access.OPEN, operation_id="listProblemKinds")
async def list_problem_kinds(request: ApiRequest) -> Response[ProblemKindPage] | Response[str]:
    """Every problem code."""
    no_parameters(request)
    kinds = [_kind(code) for code in PROBLEMS]
    if _wanted(request, (JSON, HTML)) == HTML:
        return _page(render("problems.html", kinds=kinds))
    return Response(ProblemKindPage(items=kinds, next_cursor=None), headers=_varied())


@get("/problems/{code:str}", access=Access.OPEN, operation_id="getProblemKind")
async def get_problem_kind(request: ApiRequest, code: FromPath[str]) -> Response[ProblemKindView] | Response[str]:
    """What a problem code means: the `type` of a problem leads here."""
    no_parameters(request)
    if code not in PROBLEMS:
        raise not_found()
    kind = _kind(code)
    if _wanted(request, (JSON, HTML)) == HTML:
        return _page(
            render(
                "problem.html",
                kind=kind,
                codes=list(PROBLEMS),
                example=msgspec.json.format(msgspec.json.encode(kind.example)).decode(),
                operations=_document(request).answering(code),
            )
        )
    return Response(kind, headers=_varied())


@get("/schemas", access=Access.OPEN, operation_id="listSchemas")
async def list_schemas(request: ApiRequest) -> Response[SchemaPage] | Response[str]:
    """Every JSON Schema that is served."""
    no_parameters(request)
    entries = [
        SchemaEntry(name=str(schema["title"]), url=address) for address, schema in _document(request).schemas.items()
    ]
    if _wanted(request, (JSON, HTML)) == HTML:
        return _page(render("schemas.html", entries=entries))
    return Response(SchemaPage(items=entries, next_cursor=None), headers=_varied())


@get("/schemas/{name:str}", access=Access.OPEN, operation_id="getSchema")
async def get_schema(request: ApiRequest, name: FromPath[str]) -> Response[bytes]:
    """What clients send, every error, the envelope of events."""
    no_parameters(request)
    return _schema(request, f"/schemas/{name}")


@get("/schemas/events/{event_type:str}/{schema_version:str}", access=Access.OPEN, operation_id="getEventSchema")
async def get_event_schema(
    request: ApiRequest, event_type: FromPath[str], schema_version: FromPath[str]
) -> Response[bytes]:
    """The `dataschema` of an event leads here."""
    no_parameters(request)
    return _schema(request, f"/schemas/events/{event_type}/{schema_version}")


def _document(request: ApiRequest) -> Document:
    document = request.app.state.openapi
    if not isinstance(document, Document):
        raise TypeError(f"not the document of an api: {document!r}")
    return document


def _schema(request: ApiRequest, address: str) -> Response[bytes]:
    schema = _document(request).schemas.get(address)
    if schema is None:
        raise not_found()
    return Response(msgspec.json.encode(schema), headers=CACHED, media_type="application/schema+json")


def _wanted(request: ApiRequest, offered: tuple[str, ...]) -> str:
    """Which of them the client wants.

    :raises ProblemError: `not-acceptable`.
    """
    wanted = preferred(request.headers.get("accept"), offered)
    if wanted is None:
        raise ProblemError("not-acceptable", f"This resource is {' or '.join(offered)}.")
    return wanted


@cache
def _kind(code: str) -> ProblemKindView:
    kind = PROBLEMS[code]
    return ProblemKindView(
        code=code,
        status=kind.status,
        title=kind.title,
        meaning=kind.meaning,
        advice=kind.advice,
        example=example(code),
    )


def _page(text: str) -> Response[str]:
    return Response(text, headers=HEADERS, media_type=HTML)


def _varied() -> dict[str, Any]:
    return {**CACHED, "Vary": "Accept"}


ROUTES = (
    get_openapi,
    get_docs,
    list_problem_kinds,
    get_problem_kind,
    list_schemas,
    get_schema,
    get_event_schema,
)
