"""The client: one method a route."""

from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from taskservice.client.errors import ApiError, StillPendingError, UnreachableError
from taskservice.client.values import Definition, Instance, LogLine, Page, Problem, Triggered

PREFIX: Final = "/api/v1/tasks"
TIMEOUT_S: Final = 15.0
"""Above the 5 s for which the service waits for an outcome."""
LARGEST_PAGE: Final = 500

T = TypeVar("T")


class Client:
    """Speaks with one service under one API key. Used as an async context manager.

    Every method raises `UnreachableError` when no answer came and `ApiError` when the service refused; writes raise
    `StillPendingError` when the outcome can't be read yet.

    :param url: where the service answers, `http://host:port`.
    :param transport: how requests travel; None = over the network.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=timeout_s, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    # --- definitions ---------------------------------------------------------------------------------------------

    async def definitions(self, *, cursor: str | None = None, limit: int = 50, **filters: str) -> Page[Definition]:
        """A page of definitions, newest first; `filters` by the contract's names."""
        answer = await self._get("/definitions", {**filters, **_page(cursor, limit)})
        raw = _decode(answer, Page[dict[str, Any]])
        return Page(items=tuple(_definition(members) for members in raw.items), next_cursor=raw.next_cursor)

    async def all_definitions(self, **filters: str) -> AsyncIterator[Definition]:
        """Every definition that the filters match."""
        cursor: str | None = None
        while True:
            page = await self.definitions(cursor=cursor, limit=LARGEST_PAGE, **filters)
            for one in page.items:
                yield one
            cursor = page.next_cursor
            if cursor is None:
                return

    async def definition_by_key(self, key: str) -> Definition | None:
        """The definition with that key."""
        page = await self.definitions(key=key, limit=1)
        return page.items[0] if page.items else None

    async def create_definition(self, members: Mapping[str, Any], *, idempotency_key: str | None = None) -> Definition:
        """A new definition."""
        answer = await self._send("POST", "/definitions", members, idempotency_key=idempotency_key)
        return _definition(_decode(answer, dict[str, Any]))

    async def replace_definition(
        self, definition_id: str, members: Mapping[str, Any], *, version: int | None = None
    ) -> Definition:
        """A whole new version; refused when the current one is not `version`."""
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        answer = await self._send("PUT", f"/definitions/{_path(definition_id)}", members, headers=headers)
        return _definition(_decode(answer, dict[str, Any]))

    async def trigger(
        self, definition_id: str, task_params: Any = None, *, idempotency_key: str | None = None
    ) -> Instance:
        """Run it now; None = with its own parameters."""
        body = {} if task_params is None else {"taskParams": task_params}
        path = f"/definitions/{_path(definition_id)}/trigger"
        return _decode(await self._send("POST", path, body, idempotency_key=idempotency_key), Instance)

    async def trigger_batch(
        self, definition_id: str, params: Sequence[Any], *, idempotency_key: str | None = None
    ) -> tuple[Triggered, ...]:
        """Run it now, once for each item (None = with its own parameters); 1 to 1,000."""
        body = {"batch": [{} if one is None else {"taskParams": one} for one in params]}
        path = f"/definitions/{_path(definition_id)}/trigger"
        answer = await self._send("POST", path, body, idempotency_key=idempotency_key)
        return _decode(answer, Page[Triggered]).items

    # --- instances -----------------------------------------------------------------------------------------------

    async def instances(self, *, cursor: str | None = None, limit: int = 50, **filters: str) -> Page[Instance]:
        """A page of instances, newest fire first; `filters` by the contract's names."""
        return _decode(await self._get("/instances", {**filters, **_page(cursor, limit)}), Page[Instance])

    async def instance(self, instance_id: str) -> Instance:
        """One instance, with its attempts."""
        return _decode(await self._get(f"/instances/{_path(instance_id)}", {}), Instance)

    async def cancel(self, instance_id: str, reason: str = "") -> Instance:
        """End it."""
        body = {"reason": reason} if reason else {}
        return _decode(await self._send("POST", f"/instances/{_path(instance_id)}/cancel", body), Instance)

    async def logs(self, instance_id: str, *, cursor: str | None = None, limit: int = 500) -> Page[LogLine]:
        """A page of its lines, oldest first."""
        answer = await self._get(f"/instances/{_path(instance_id)}/logs", _page(cursor, limit))
        return _decode(answer, Page[LogLine])

    # --- the service ---------------------------------------------------------------------------------------------

    async def is_ready(self) -> bool:
        """Whether it can serve; False also when it does not answer."""
        try:
            answer = await self._http.get("/health/ready")
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK

    async def _get(self, path: str, parameters: Mapping[str, str | int]) -> httpx.Response:
        return await self._request("GET", path, params=dict(parameters))

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        given = dict(headers or {})
        if idempotency_key is not None:
            given["Idempotency-Key"] = idempotency_key
        given["Content-Type"] = "application/json"
        answer = await self._request(method, path, content=msgspec.json.encode(body), headers=given)
        if answer.status_code == httpx.codes.ACCEPTED:
            raise StillPendingError(answer.headers.get("location", "").rpartition("/")[2])
        return answer

    async def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = await self._http.request(method, PREFIX + path, **options)
        except httpx.HTTPError as error:
            raise UnreachableError(f"{self.url} does not answer: {str(error) or type(error).__name__}") from error
        if answer.is_success:
            return answer
        try:
            problem = msgspec.json.decode(answer.content, type=Problem)
        except msgspec.DecodeError:
            raise UnreachableError(f"{self.url} answered {answer.status_code} without a problem") from None
        raise ApiError(problem)


def _page(cursor: str | None, limit: int) -> dict[str, str | int]:
    return {"limit": limit} if cursor is None else {"limit": limit, "cursor": cursor}


def _path(part: str) -> str:
    return quote(part, safe="")


def _definition(members: dict[str, Any]) -> Definition:
    return msgspec.structs.replace(msgspec.convert(members, Definition), members=members)


def _decode(answer: httpx.Response, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except msgspec.DecodeError as error:
        raise UnreachableError(f"{answer.url} answered something else: {error}") from error
