"""Routes about definitions."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx
import msgspec

from taskservice.client.routes import LARGEST_PAGE, Routes, every, listing
from taskservice.client.transport import decoded, segment
from taskservice.client.values import Definition, Instance, Page, Preview, Triggered


class DefinitionRoutes(Routes):
    """Definitions: what is to be run, and when."""

    async def definitions(self, *, cursor: str | None = None, limit: int = 50, **filters: Any) -> Page[Definition]:
        """A page of definitions, newest first.

        :param filters: by the contract's names: `q key status scheduleType taskHandler queue owner label`, `count=True`.
        """
        answer = await self._transport.get("/definitions", listing(filters, cursor, limit))
        page, raw = decoded(answer, Page[Definition]), decoded(answer, Page[dict[str, Any]])
        items = tuple(map(_with_members, page.items, raw.items))
        return Page(items=items, next_cursor=page.next_cursor, count=page.count)

    async def all_definitions(self, *, page_size: int = LARGEST_PAGE, **filters: Any) -> AsyncIterator[Definition]:
        """Every definition that the filters match, page by page."""
        async for one in every(lambda cursor: self.definitions(cursor=cursor, limit=page_size, **filters)):
            yield one

    async def definition(self, definition_id: str, *, as_of: str | None = None) -> Definition:
        """One definition; with `as_of` (RFC 3339) as it was then, also one that has been deleted since."""
        return _read(await self._transport.get(_path(definition_id), {"asOf": as_of}))

    async def definition_by_key(self, key: str) -> Definition | None:
        """The definition with that key; None when there is none."""
        page = await self.definitions(key=key, limit=1)
        return page.items[0] if page.items else None

    async def create_definition(self, members: Mapping[str, Any], *, idempotency_key: str | None = None) -> Definition:
        """A new definition."""
        return _read(await self._transport.post("/definitions", members, idempotency_key=idempotency_key))

    async def replace_definition(
        self, definition_id: str, members: Mapping[str, Any], *, version: int | None = None
    ) -> Definition:
        """A whole new version; members that are left out get their defaults, `key` and an absent `enabled` stay.

        :param version: refused with `version-mismatch` when the one in force is another.
        """
        return await self._changed("PUT", definition_id, members, version)

    async def patch_definition(
        self, definition_id: str, changes: Mapping[str, Any], *, version: int | None = None
    ) -> Definition:
        """A new version in which these members are changed (RFC 7396): null = back to the default, the rest stays."""
        return await self._changed("PATCH", definition_id, changes, version)

    async def delete_definition(
        self, definition_id: str, *, cancel_running: bool = False, version: int | None = None
    ) -> None:
        """No more fires; what is PENDING is cancelled, what runs finishes, or is cancelled too. History stays."""
        parameters = {"cancelRunning": cancel_running or None}
        await self._transport.change("DELETE", _path(definition_id), version=version, parameters=parameters)

    async def enable_definition(self, definition_id: str, *, note: str = "") -> Definition:
        """It fires again, strictly later; also when it did."""
        return _read(await self._transport.post(f"{_path(definition_id)}/enable", _noted({}, note)))

    async def disable_definition(self, definition_id: str, *, note: str = "") -> Definition:
        """No due instants until it is enabled; also when it was so."""
        return _read(await self._transport.post(f"{_path(definition_id)}/disable", _noted({}, note)))

    async def trigger(
        self, definition_id: str, task_params: Any = None, *, note: str = "", idempotency_key: str | None = None
    ) -> Instance:
        """Run it now, disabled or not; None = with its own parameters."""
        body = _noted({} if task_params is None else {"taskParams": task_params}, note)
        path = f"{_path(definition_id)}/trigger"
        return decoded(await self._transport.post(path, body, idempotency_key=idempotency_key), Instance)

    async def trigger_batch(
        self, definition_id: str, params: Sequence[Any], *, note: str = "", idempotency_key: str | None = None
    ) -> tuple[Triggered, ...]:
        """Run it now, once for each item (None = with its own parameters); 1 to 1,000, taken or refused as a whole."""
        body = _noted({"batch": [{} if one is None else {"taskParams": one} for one in params]}, note)
        path = f"{_path(definition_id)}/trigger"
        answer = await self._transport.post(path, body, idempotency_key=idempotency_key)
        return decoded(answer, Page[Triggered]).items

    async def preview_definition(
        self, members: Mapping[str, Any], *, count: int | None = None, begin: str | None = None
    ) -> Preview:
        """The next fires of a schedule; stores nothing.

        :param members: of a definition; name and handler may be left out.
        :param count: 1 to 100, 10 by default. :param begin: RFC 3339, now by default.
        """
        asked = {name: value for name, value in (("count", count), ("from", begin)) if value is not None}
        return decoded(await self._transport.post("/definitions/preview", {**members, **asked}), Preview)

    async def _changed(
        self, method: str, definition_id: str, members: Mapping[str, Any], version: int | None
    ) -> Definition:
        answer = await self._transport.change(method, _path(definition_id), members, version=version)
        return await self.definition(definition_id) if answer is None else _read(answer)


def _path(definition_id: str) -> str:
    return f"/definitions/{segment(definition_id)}"


def _noted(body: dict[str, Any], note: str) -> dict[str, Any]:
    return {**body, "note": note} if note else body


def _read(answer: httpx.Response) -> Definition:
    return _with_members(decoded(answer, Definition), decoded(answer, dict[str, Any]))


def _with_members(definition: Definition, members: dict[str, Any]) -> Definition:
    return msgspec.structs.replace(definition, members=members)
