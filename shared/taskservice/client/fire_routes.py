"""Routes about what became of instants: the fire ledger, and backfills."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from taskservice.client.routes import LARGEST_PAGE, Routes, listing
from taskservice.client.transport import decoded, segment
from taskservice.client.values import Backfill, CancelledBackfill, LedgerEntry, LedgerPage


class FireRoutes(Routes):
    """What became of the instants of definitions."""

    async def fires(
        self, definition_id: str, *, cursor: str | None = None, limit: int = 50, **filters: Any
    ) -> LedgerPage:
        """A page of the ledger, oldest first; it may be short although there are more.

        :param filters: by the contract's names: `from to outcome`.
        """
        path = f"/definitions/{segment(definition_id)}/fires"
        answer = await self._transport.get(path, listing(filters, cursor, limit))
        page = decoded(answer, LedgerPage)
        members = decoded(answer, dict[str, Any])["items"]
        items = tuple(
            msgspec.structs.replace(entry, members=one) for entry, one in zip(page.items, members, strict=True)
        )
        return msgspec.structs.replace(page, items=items)

    async def all_fires(
        self, definition_id: str, *, page_size: int = LARGEST_PAGE, **filters: Any
    ) -> AsyncIterator[LedgerEntry]:
        """Every entry that the filters match, page by page."""
        cursor: str | None = None
        while True:
            page = await self.fires(definition_id, cursor=cursor, limit=page_size, **filters)
            for one in page.items:
                yield one
            cursor = page.next_cursor
            if cursor is None:
                return

    async def backfill(
        self,
        definition_id: str,
        begin: str,
        end: str,
        *,
        max_concurrency: int | None = None,
        dry_run: bool = False,
        note: str = "",
        idempotency_key: str | None = None,
    ) -> Backfill:
        """Run the instants in [begin, end) that were due and did not run, or with `dry_run` say which.

        :param begin: RFC 3339. :param end: RFC 3339.
        """
        body: dict[str, Any] = {"from": begin, "to": end, "maxConcurrency": max_concurrency, "dryRun": dry_run}
        if note:
            body["note"] = note
        path = f"/definitions/{segment(definition_id)}/backfill"
        return decoded(await self._transport.post(path, body, idempotency_key=idempotency_key), Backfill)

    async def cancel_backfill(self, definition_id: str, command_id: str) -> CancelledBackfill:
        """End what is open of a backfill."""
        path = f"/definitions/{segment(definition_id)}/backfill/{segment(command_id)}/cancel"
        return decoded(await self._transport.post(path, {}), CancelledBackfill)
