"""From a body to a checked definition, from `If-Match` to a version."""

import re

from taskservice.api.parts import ApiRequest
from taskservice.api.wire.problems import FieldError, ProblemError, invalid_parameters, validation_failed
from taskservice.domain.definition.problem import FieldProblem
from taskservice.domain.definition.validate import DefinitionDefaults, Mode, ValidDefinition, parse_definition

_TAG = re.compile(r'(W/)?"([^"]*)"')
_VERSION = re.compile(r"[0-9]{1,18}", re.ASCII)


def checked(request: ApiRequest, body: object, mode: Mode) -> ValidDefinition:
    """The definition that a body asks for.

    :raises ProblemError: `validation-failed` with every fault.
    """
    parts = request.parts
    defaults = DefinitionDefaults(
        time_zone=parts.tenants.time_zone(request.tenant_id),
        allowed_queues=parts.tenants.queues(request.tenant_id),
        now_ms=parts.clock.now_ms(),
    )
    found = parse_definition(body, defaults=defaults, mode=mode)
    if isinstance(found, ValidDefinition):
        return found
    raise validation_failed(*(field_error(problem) for problem in found))


def field_error(problem: FieldProblem) -> FieldError:
    """A fault of the domain in the words of a problem."""
    return FieldError(
        pointer=problem.pointer,
        code=problem.code,
        detail=problem.detail,
        position=problem.position,
        allowed=problem.allowed,
    )


def expected_version(header: str | None, current: int | None) -> int | None:
    """The version that `If-Match` wants; None = any.

    :param current: the version as it is read now, None when it can't be told; a list of tags is judged by it.
    :raises ProblemError: `version-mismatch` when no tag can match; `invalid-parameter` when it is no list of tags.
    """
    if header is None or header.strip() == "*":
        return None
    parts = [_TAG.fullmatch(text.strip()) for text in header.split(",")]
    tags = [match for match in parts if match is not None]
    if len(tags) != len(parts):
        detail = 'If-Match must be *, or versions in quotes: "3".'
        raise invalid_parameters(FieldError(header="If-Match", code="etag", detail=detail))
    # Weak tags never match in the strong comparison that If-Match asks for (RFC 9110 §13.1.1).
    versions = [int(tag[2]) for tag in tags if tag[1] is None and _VERSION.fullmatch(tag[2])]
    if len(versions) == 1 and len(versions[:1]) == len(tags):
        return versions[0]
    if current is not None and current in versions:
        return current
    raise ProblemError(
        "version-mismatch",
        f"If-Match names another version than {current or 'the current one'}.",
        current_version=current,
    )
