"""Every exception as a problem, in one place."""

from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
from litestar import Response
from litestar.connection import Request
from litestar.exceptions import HTTPException

from taskservice.api.ports import StorageDown
from taskservice.api.wire.problems import MEDIA_TYPE, Problem, ProblemError, not_found, storage_unavailable
from taskservice.api.wire.shell import facts_of
from taskservice.storage.errors import StorageError
from taskservice.streams.errors import StreamsError

_log = structlog.get_logger(__name__)


def on_problem(request: Request[Any, Any, Any], problem: ProblemError) -> Response[Problem]:
    """A problem that somebody raised."""
    facts = facts_of(request.scope)
    facts.problem = problem.code
    return Response(
        problem.body(facts.request_id),
        status_code=problem.status,
        headers=problem.all_headers(),
        media_type=MEDIA_TYPE,
    )


def on_framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """What the framework refused by itself."""
    return on_problem(request, _of_framework(error))


def on_storage(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """A store that does not answer; one that refuses a statement is a fault of ours."""
    if isinstance(error, StorageError) and not isinstance(error, StorageDown):
        return on_fault(request, error)
    what = "The database" if isinstance(error, StorageError) else "Redis"
    _log.warning("a store does not answer", what=what, reason=str(error), request_id=facts_of(request.scope).request_id)
    return on_problem(request, storage_unavailable(what))


def on_fault(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """A fault of the service: its details are in the log alone."""
    facts = facts_of(request.scope)
    _log.error("a request failed", request_id=facts.request_id, path=request.scope["path"], exc_info=error)
    detail = "The service failed; its log has the details under this request id."
    return on_problem(request, ProblemError("internal", detail))


HANDLERS: MutableMapping[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[Any]]] = {
    ProblemError: on_problem,
    HTTPException: on_framework,
    StorageError: on_storage,
    StreamsError: on_storage,
    Exception: on_fault,
}


def _of_framework(error: HTTPException) -> ProblemError:
    match error.status_code:
        case 404:
            return not_found()
        case 405:
            allow = (error.headers or {}).get("Allow") or (error.headers or {}).get("allow")
            detail = "The resource has no such method; `Allow` names those that it has."
            return ProblemError("method-not-allowed", detail, headers={"Allow": allow} if allow else {})
        case 413:
            return ProblemError("body-too-large", "The body has more than 1 MiB (1,048,576 bytes).")
        case 415:
            return ProblemError("unsupported-media-type", "The body must be application/json in UTF-8.")
        case 400:
            return ProblemError("invalid-parameter", "The request can't be read.")
        case _:
            _log.error("the framework refused a request", status=error.status_code, reason=error.detail)
            return ProblemError("internal", "The service failed; its log has the details under this request id.")
