"""Problem details (RFC 9457): every error that leaves the service has this one shape.

`PROBLEMS` is the whole list of codes. A client may rely on `code`; `title` is one per code, `detail` says what is
wrong this time and what is allowed. The value of a secret is never part of any of them.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

MEDIA_TYPE = "application/problem+json"


class FieldError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One faulty part of a request: exactly one of `pointer`, `parameter` and `header` names it.

    `position` counts characters from 0, for cron expressions and JSON texts.
    """

    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None
    code: str
    detail: str
    position: int | None = None
    allowed: tuple[object, ...] | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """The body of an error."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: tuple[FieldError, ...] = ()
    current_status: str | None = None
    current_version: int | None = None
    command_id: str | None = None
    retry_after_ms: int | None = None


class Kind(msgspec.Struct, frozen=True):
    """What a code stands for, and what to do about it: `/problems/<code>` serves both."""

    status: int
    title: str
    meaning: str
    advice: str


PROBLEMS: Mapping[str, Kind] = MappingProxyType(
    {
        "malformed-json": Kind(
            400,
            "Malformed JSON",
            "The body is not one JSON text (RFC 8259) in UTF-8.",
            "Look at `errors[0].position`, which counts characters from 0. A member that stands twice, NaN, Infinity, "
            "half of a surrogate pair and more than 64 levels are refused as well.",
        ),
        "invalid-parameter": Kind(
            400,
            "Invalid parameter",
            "A query parameter or header is unknown, repeated, or outside its bounds.",
            "`errors` names each one and what is allowed. A `cursor` belongs to the list and the filters that gave it: "
            "start again without it after changing a filter.",
        ),
        "unauthenticated": Kind(
            401,
            "Not authenticated",
            "Send an API key: `Authorization: Bearer <key>`. It is missing, unknown or revoked.",
            "A new key works within seconds of `taskservice keys create`; a revoked one never works again.",
        ),
        "forbidden": Kind(
            403,
            "Forbidden",
            "The API key is known, and its role does not allow this.",
            "`detail` names the role that is needed. A definition may ask for more with `minRole`; stopping and "
            "starting the scheduler needs an ADMIN key that is marked `platform`.",
        ),
        "not-found": Kind(
            404,
            "Not found",
            "There is no such resource, or it belongs to another tenant; the answer is the same.",
            "Check the id, and that the key belongs to the tenant that owns it. A definition that was deleted is gone; "
            "its instances can still be read.",
        ),
        "method-not-allowed": Kind(
            405,
            "Method not allowed",
            "The resource exists and has no such method.",
            "The header `Allow` names the methods that it has.",
        ),
        "not-acceptable": Kind(
            406,
            "Not acceptable",
            "The resource has no representation that `Accept` names.",
            "`detail` names what there is; leave `Accept` out to get it.",
        ),
        "state-conflict": Kind(
            409,
            "State conflict",
            "The resource is in a state that does not allow this; `currentStatus` names it.",
            "Read it again. An instance that succeeded is not retried: trigger its definition instead.",
        ),
        "key-taken": Kind(
            409,
            "Key taken",
            "Another definition of the tenant has this `key`.",
            "`GET /definitions?key=…` finds it; change that one, or choose another key.",
        ),
        "version-mismatch": Kind(
            412,
            "Version mismatch",
            "`If-Match` names another version than the current one; read it again.",
            "`currentVersion` is what there is. Read the definition, apply the change to it, and send it with its `ETag`.",
        ),
        "body-too-large": Kind(
            413,
            "Body too large",
            "A body has at most 1 MiB (1,048,576 bytes).",
            "Send less: parameters have at most 65,535 bytes each, and a batch may be sent in parts.",
        ),
        "unsupported-media-type": Kind(
            415,
            "Unsupported media type",
            "Bodies are `application/json` in UTF-8.",
            "Set `Content-Type: application/json`; PATCH takes `application/merge-patch+json` as well. Bodies are not "
            "compressed.",
        ),
        "validation-failed": Kind(
            422,
            "Validation failed",
            "Members of the body are unknown, missing or outside their bounds: see `errors`.",
            "Every faulty member is named at once, by a JSON pointer, with what is allowed. Nothing was changed.",
        ),
        "idempotency-key-reused": Kind(
            422,
            "Idempotency key reused",
            "The same `Idempotency-Key` was used within 24 h for another request.",
            "Use a new key for a new request; `commandId` is the command that the key stands for.",
        ),
        "limit-reached": Kind(
            429,
            "Limit reached",
            "A limit of the tenant or of the definition is reached.",
            "`detail` names the limit. Wait for `Retry-After` and send the request again, with the same "
            "`Idempotency-Key`.",
        ),
        "internal": Kind(
            500,
            "Internal error",
            "A fault of the service; its log has it under the request id.",
            "Tell whoever runs the service the `requestId`. A write may have been taken: repeat it with the same "
            "`Idempotency-Key`.",
        ),
        "overloaded": Kind(
            503,
            "Overloaded",
            "Redis is nearly full, or more requests are under way than one process serves; try again later.",
            "Nothing was taken. Wait for `Retry-After`; what was accepted before is still decided and run.",
        ),
        "read-model-behind": Kind(
            503,
            "Read model behind",
            "What is read is older than what was asked for; use a new idempotency key later.",
            "Wait for `Retry-After`, then ask again; a write needs a new `Idempotency-Key`, since this outcome is final.",
        ),
        "storage-unavailable": Kind(
            503,
            "Storage unavailable",
            "A store does not answer, or lost what it had taken; try again later.",
            "Wait for `Retry-After`. A write that has a `commandId` may have been taken: ask for the command, or "
            "repeat the request with the same `Idempotency-Key`. A command that ended so was lost and did nothing.",
        ),
    }
)


class ProblemError(Exception):
    """Ends a request with a problem; raised by whatever finds it, rendered in one place.

    :param code: a key of `PROBLEMS`.
    :param detail: what is wrong and what is allowed.
    :param headers: further headers of the answer.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: tuple[FieldError, ...] = (),
        current_status: str | None = None,
        current_version: int | None = None,
        command_id: str | None = None,
        retry_after_ms: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.errors = errors
        self.current_status = current_status
        self.current_version = current_version
        self.command_id = command_id
        self.retry_after_ms = retry_after_ms
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        """The HTTP status."""
        return PROBLEMS[self.code].status

    def body(self, request_id: str) -> Problem:
        """The body that tells it."""
        kind = PROBLEMS[self.code]
        return Problem(
            type=f"/problems/{self.code}",
            title=kind.title,
            status=kind.status,
            detail=self.detail,
            instance=f"urn:uuid:{request_id}",
            code=self.code,
            request_id=request_id,
            errors=self.errors,
            current_status=self.current_status,
            current_version=self.current_version,
            command_id=self.command_id,
            retry_after_ms=self.retry_after_ms,
        )

    def all_headers(self) -> dict[str, str]:
        """Headers of the answer, `Retry-After` (whole seconds, rounded up) among them."""
        headers = dict(self.headers)
        if self.retry_after_ms is not None:
            headers["Retry-After"] = str(max(1, -(-self.retry_after_ms // 1000)))
        if self.code == "unauthenticated":
            headers["WWW-Authenticate"] = 'Bearer realm="taskservice"'
        return headers


def not_found() -> ProblemError:
    """The one 404 for ids that are foreign, unknown or malformed: it tells nobody which."""
    return ProblemError("not-found", "There is no such resource.")


def validation_failed(*errors: FieldError) -> ProblemError:
    """The 422 that names all faulty members at once."""
    many = f"{len(errors)} members are" if len(errors) > 1 else "one member is"
    return ProblemError("validation-failed", f"{many} not as the contract wants; see `errors`.", errors=errors)


def invalid_parameters(*errors: FieldError) -> ProblemError:
    """The 400 that names all faulty query parameters or headers at once."""
    return ProblemError("invalid-parameter", errors[0].detail, errors=errors)


def storage_unavailable(what: str, command_id: str | None = None) -> ProblemError:
    """A store that this request needs does not answer."""
    return ProblemError(
        "storage-unavailable", f"{what} does not answer now.", retry_after_ms=2_000, command_id=command_id
    )
