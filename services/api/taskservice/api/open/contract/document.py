"""OpenAPI 3.1, put together from the routes, the tables of operations and the schemas."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from litestar.handlers import HTTPRouteHandler

from taskservice.api.auth import Access
from taskservice.api.open.contract import definitions, events, fires, instances, scheduler, service
from taskservice.api.open.contract.answer_examples import ANSWERS
from taskservice.api.open.contract.headers import EVERYWHERE, HEADERS, OPTIONAL
from taskservice.api.open.contract.operation import Answer, Body, Json, Operation, Parameter
from taskservice.api.open.contract.parameters import EVERYWHERE as REQUEST_HEADERS
from taskservice.api.open.contract.parameters import of_path
from taskservice.api.open.contract.problems import by_status, of_access, response
from taskservice.api.open.contract.request_schemas import REQUESTS
from taskservice.api.open.contract.view_schemas import public_name, reference, view_schemas
from taskservice.api.wire.problems import Problem

OPERATIONS: Mapping[str, Operation] = {
    one.id: one
    for table in (
        definitions.OPERATIONS,
        fires.OPERATIONS,
        instances.OPERATIONS,
        events.OPERATIONS,
        scheduler.OPERATIONS,
        service.OPERATIONS,
    )
    for one in table
}
TAGS = (
    ("definitions", "What tenants ask to be run, and when."),
    ("instances", "Requested runs: of a fire, of a trigger."),
    ("scheduler", "The whole scheduler, over all tenants."),
    ("events", "Everything that was decided, as the log has it."),
    ("commands", "Requests to change something, and the one outcome of each."),
    ("workers", "Who runs the tenant's tasks."),
    ("service", "What needs no key and shows nothing of any tenant."),
)
INFO = """A multi-tenant task scheduler with exactly one recorded decision for every due instant.

JSON in camelCase and UTF-8; times in RFC 3339, in UTC with three decimals on the way out, with any offset on the way
in; durations in milliseconds (`…Ms`), sizes in bytes (`…Bytes`). An absent optional member is null in answers.
Unknown members are a 422, unknown query parameters a 400. Ids that are foreign, unknown or malformed are the same 404.

A write waits up to 5 s until its outcome is decided and can be read, so what was written can be read at once; with
`Prefer: respond-async`, or when time is up, it is answered 202 with the command. Lists are
`{"items": […], "nextCursor": "…" | null}`.

HEAD is served wherever GET is, without the body. OPTIONS answers 204 with `Allow`, to everybody. Any other method is a
405 `method-not-allowed` with `Allow`, an `Accept` that names nothing the resource has a 406 `not-acceptable`, an unknown
path a 404 `not-found`. Every error is `application/problem+json` (RFC 9457); `/problems` lists the codes.

`x-required-role` names the least role of the key: VIEWER, OPERATOR, ADMIN, or PLATFORM for an ADMIN key that is marked
`platform`; OPEN needs no key. A definition's `minRole` may ask for more."""
_PARAMETER_TYPE = re.compile(r"\{(\w+):\w+\}")


def openapi(
    prefix: str, routes: Iterable[HTTPRouteHandler], open_routes: Iterable[HTTPRouteHandler], version: str
) -> Json:
    """The document.

    :param prefix: of `routes`; `open_routes` have none.
    :raises LookupError: a route has no entry in the tables.
    """
    paths: dict[str, Json] = {}
    structs: set[type] = {Problem}
    for base, handlers in ((prefix, routes), ("", open_routes)):
        for handler in handlers:
            operation = operation_of(handler)
            structs |= _structs(operation)
            for path in handler.paths:
                for method in handler.http_methods:
                    shown = _PARAMETER_TYPE.sub(r"{\1}", base + path)
                    paths.setdefault(shown, {})[method.lower()] = _operation(operation, shown, handler.opt["access"])
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {"title": "Task Service", "version": version, "description": INFO},
        "servers": [{"url": "/", "description": "This service."}],
        "tags": [{"name": name, "description": description} for name, description in TAGS],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key: `taskservice keys create --tenant T --role R` makes one.",
                }
            },
            "headers": {name: _header(name) for name in HEADERS},
            "schemas": {**{name: make() for name, make in REQUESTS.items()}, **view_schemas(structs)},
        },
    }


def operation_of(handler: HTTPRouteHandler) -> Operation:
    """What the tables say of a route.

    :raises LookupError: nothing.
    """
    found = OPERATIONS.get(str(handler.operation_id))
    if found is None:
        raise LookupError(f"the route {handler.operation_id} has no entry in open/contract")
    return found


def _operation(operation: Operation, path: str, access: Access) -> Json:
    names = re.findall(r"\{(\w+)\}", path)
    parameters = (*(of_path(name) for name in names), *operation.parameters, *REQUEST_HEADERS)
    found: Json = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "x-required-role": access.name,
        "security": [] if access is Access.OPEN else [{"key": []}],
        "parameters": [_parameter(one) for one in parameters],
        "responses": _responses(operation, access),
    }
    if operation.body is not None:
        found["requestBody"] = _body(operation.body)
    return found


def _responses(operation: Operation, access: Access) -> Json:
    responses = {str(one.status): _answer(one) for one in operation.answers}
    for status, codes in by_status((*of_access(access), *operation.problems)).items():
        described, headers = response(status, codes, reference(Problem))
        responses[str(status)] = described | {"headers": _headers(headers)}
    return dict(sorted(responses.items()))


def _answer(answer: Answer) -> Json:
    found: Json = {"description": answer.description, "headers": _headers(answer.headers)}
    if answer.content:
        found["content"] = {media_type: _content(body) for media_type, body in answer.content.items()}
    return found


def _content(body: type | tuple[type, ...] | Json) -> Json:
    structs = body if isinstance(body, tuple) else (body,) if isinstance(body, type) else ()
    names = [public_name(one.__name__) for one in structs]
    content: Json = {"schema": _schema(body)}
    if names:
        content["examples"] = {name: {"summary": name, "value": ANSWERS[name]} for name in names}
    return content


def _schema(body: type | tuple[type, ...] | Json) -> Json:
    if isinstance(body, dict):
        return body
    if isinstance(body, tuple):
        return {"anyOf": [reference(one) for one in body]}
    return reference(body)


def _headers(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*names, *EVERYWHERE)}


def _header(name: str) -> Json:
    description, schema = HEADERS[name]
    return {"description": description, "schema": dict(schema), "required": name not in OPTIONAL}


def _parameter(parameter: Parameter) -> Json:
    schema = dict(parameter.schema)
    if parameter.repeatable:
        schema = {"type": "array", "items": schema}
    found: Json = {
        "name": parameter.name,
        "in": parameter.location,
        "description": parameter.description,
        "required": parameter.location == "path",
        "schema": schema,
    }
    if parameter.repeatable:
        found |= {"style": "form", "explode": True}
    if parameter.example is not None:
        found["example"] = [parameter.example] if parameter.repeatable else parameter.example
    return found


def _body(body: Body) -> Json:
    content: dict[str, Any] = {
        "schema": {"$ref": f"#/components/schemas/{body.schema}"},
        "examples": {name: {"summary": summary, "value": value} for name, (summary, value) in body.examples.items()},
    }
    return {
        "description": body.description,
        "required": body.required,
        "content": dict.fromkeys(body.media_types, content),
    }


def _structs(operation: Operation) -> set[type]:
    found: set[type] = set()
    for answer in operation.answers:
        for body in answer.content.values():
            if isinstance(body, tuple):
                found |= set(body)
            elif isinstance(body, type):
                found.add(body)
    return found
