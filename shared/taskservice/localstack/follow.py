"""What happens in a running stack, as lines: each change of an instance that the api shows."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from unicodedata import east_asian_width

import httpx

from taskservice.localstack.console import Console

INTERVAL_S: Final = 1.0
PAGE: Final = 100
LINES_A_TURN: Final = 20
REMEMBERED: Final = 5_000
TIMEOUT_S: Final = 5.0
NAME_WIDTH: Final = 34
LONGEST_MESSAGE: Final = 160


class Follower:
    """Asks the api for the newest instances each second and prints those that changed.

    :param url: of the api.
    :param api_key: whose tenant's instances are shown.
    :param since: RFC 3339 as the api writes it; what did not change since then is no news.
    """

    def __init__(self, console: Console, url: str, api_key: str, since: str = "") -> None:
        self._console = console
        self._url = url
        self._since = since
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._shown: OrderedDict[str, tuple[object, object]] = OrderedDict()

    async def run(self) -> None:
        """Print until cancelled. An api that does not answer is waited for: the supervisor says why."""
        async with httpx.AsyncClient(
            base_url=self._url, headers=self._headers, timeout=TIMEOUT_S, trust_env=False
        ) as client:
            while True:
                with suppress(httpx.HTTPError, ValueError):
                    await self.run_once(client)
                await asyncio.sleep(INTERVAL_S)

    async def run_once(self, client: httpx.AsyncClient) -> None:
        """Print what changed since the last turn, oldest first."""
        answer = await client.get("/api/v1/tasks/instances", params={"limit": PAGE})
        if answer.status_code != 200:
            return
        changed = [item for item in reversed(answer.json()["items"]) if self._is_news(item)]
        for item in changed[-LINES_A_TURN:]:
            self._console.say(line_of(item))
        if len(changed) > LINES_A_TURN:
            self._console.say(f"… and {len(changed) - LINES_A_TURN} more")

    def _is_news(self, item: Mapping[str, Any]) -> bool:
        state = (item.get("status"), item.get("attempt"))
        known = self._shown.get(item["id"])
        self._shown[item["id"]] = state
        self._shown.move_to_end(item["id"])
        while len(self._shown) > REMEMBERED:
            self._shown.popitem(last=False)
        is_old = str(item.get("updatedAt") or "") < self._since
        return known != state and item.get("status") != "PENDING" and not is_old


def line_of(item: Mapping[str, Any]) -> str:
    """An instance in one line: what ran, how it stands, how long it took, and why not."""
    status = str(item.get("status"))
    duration = item.get("executionDuration")
    took = f"{duration} ms" if duration is not None else ""
    retries = item.get("retryCount") or 0
    again = f"attempt {item.get('attempt')}" if retries else ""
    why = str(item.get("failureReason") or "") if status == "FAILED" else ""
    message = str(item.get("errorMessage") or "").partition("\n")[0] if status == "FAILED" else ""
    message = message if len(message) <= LONGEST_MESSAGE else f"{message[: LONGEST_MESSAGE - 1]}…"
    tail = "  ".join(part for part in (took, again, why, message) if part)
    name = str(item.get("taskName"))
    return f"{status:<9} {name}{' ' * (NAME_WIDTH - width_of(name))} {tail}".rstrip()


def width_of(text: str) -> int:
    """Columns that a text takes in a terminal."""
    return sum(2 if east_asian_width(one) in "WF" else 1 for one in text)
