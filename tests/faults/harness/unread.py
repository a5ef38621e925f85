"""Commands that Redis acknowledges while nobody reads them, and what their clients are told once it has lost them."""

import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Self

import httpx
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.servers import RedisProcess

from taskservice.domain import events as e
from taskservice.streams.keys import Keys
from taskservice.testing.checkers.evidence import Evidence
from taskservice.testing.waiting import wait_until_blocking

PATIENCE_S: Final = 60.0
COUNT: Final = 5
INBOX: Final = Keys(0).inbox
EVENTS: Final = Keys(0).events
BODY: Final = {
    "taskName": "never there",
    "taskHandler": "faults.fast",
    "scheduleType": "CRON",
    "cronExpression": "0 0 0 1 1 ?",
    "enabled": False,
}


def inbox_end(server: RedisProcess) -> tuple[int, int]:
    """The last id of its inbox, as something that sorts."""
    with server.client() as client:
        milliseconds, _, sequence = client.xinfo_stream(INBOX)["last-generated-id"].partition("-")
    return int(milliseconds), int(sequence)


def wait_until_nobody_decides(*servers: RedisProcess) -> None:
    """All tickers are frozen: what they had sent has arrived, on each of these servers."""
    looks: list[list[str]] = []

    def at_rest() -> bool:
        look = []
        for server in servers:
            with server.client() as client:
                look.append(client.xinfo_stream(EVENTS)["last-generated-id"])
        looks.append(look)
        return len(set(look)) == 1 and looks[-2:-1] == [look]

    wait_until_blocking(at_rest, "the log stands still", timeout_s=PATIENCE_S, interval_s=0.5)


class UnreadCommands:
    """A client's commands of one moment: some are answered 202, of one the client waits for the outcome."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._thread = ThreadPoolExecutor(1)
        self._key = str(uuid.uuid4())
        self._waiting: Future[httpx.Response] | None = None
        self.ids: list[str] = []
        """Of all that were acknowledged and lost."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def ask(self, server: RedisProcess) -> None:
        """All of them are in that server's inbox when this returns."""
        with self._cluster.client() as client:
            answers = [
                client.post("/definitions", json=BODY, headers={"Prefer": "respond-async"}) for _ in range(COUNT)
            ]
        assert [one.status_code for one in answers] == [202] * COUNT
        self.ids += [one.json()["id"] for one in answers]
        self._waiting = self._thread.submit(self._ask_and_wait)
        wait_until_blocking(lambda: self._has_the_key(server), "the inbox has the last one", timeout_s=PATIENCE_S)

    def wait_until_told(self) -> None:
        """Who waited was told at once that it is lost; then each has an outcome that says so, and its key is free."""
        assert self._waiting is not None
        answer = self._waiting.result(PATIENCE_S)
        assert (answer.status_code, answer.json()["code"]) == (503, "storage-unavailable"), answer.text
        assert int(answer.headers["retry-after"]) > 0
        self.ids.append(answer.json()["commandId"])
        with self._cluster.client() as client:
            for name in self.ids:
                wait_until_blocking(
                    lambda name=name: self._state_of(client, name) == ("REJECTED", "storage-unavailable"),  # type: ignore[misc]
                    f"{name} has an outcome",
                    timeout_s=PATIENCE_S,
                )
        again = self._ask_and_wait()
        assert again.status_code in {201, 202}, again.text

    def check(self, evidence: Evidence) -> None:
        """The log has one outcome for each, and the loss of the inbox at most once for each term."""
        outcomes = [one.event for one in evidence.log if one.event.outcome and one.event.command_id in self.ids]
        assert sorted(one.command_id for one in outcomes) == sorted(self.ids)
        assert {type(one) for one in outcomes} == {e.CommandRejected}
        of_the_inbox = [
            one.epoch
            for one in evidence.log
            if isinstance(one.event, e.LogLossDetected) and "commands of the inbox" in one.event.what
        ]
        assert len(of_the_inbox) == len(set(of_the_inbox))

    def _ask_and_wait(self) -> httpx.Response:
        with self._cluster.client(timeout_s=PATIENCE_S) as client:
            return client.post("/definitions", json=BODY, headers={"Idempotency-Key": self._key})

    def _has_the_key(self, server: RedisProcess) -> bool:
        with server.client() as client:
            return bool(client.exists(Keys(0).idempotency("default", self._key)))

    def _state_of(self, client: httpx.Client, command_id: str) -> tuple[str, str]:
        answer = client.get(f"/commands/{command_id}")
        if answer.status_code != 200:
            return "", answer.text
        body: dict[str, Any] = answer.json()
        return body["status"], (body["problem"] or {}).get("code", "")
