"""What tests of policies ask of a stack and read of it, by HTTP alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from tests.integration.test_command_line import run
from tests.integration.watching import created, now_ms, rfc3339

from taskservice.cli.exit_codes import ExitCode
from taskservice.domain.instant_text import parse_rfc3339
from taskservice.testing.running_stack import RunningStack
from taskservice.testing.waiting import wait_until_blocking

FAR_MS = 3_600_000
PATIENCE_S = 30

Json = dict[str, Any]


def ms(text: str) -> int:
    """The instant of an answer."""
    instant = parse_rfc3339(text)
    assert instant is not None, text
    return instant


def gated(gate: Path) -> Json:
    """Members of a definition whose runs last until somebody makes the file `gate`."""
    return {"taskHandler": "ledger.gated", "taskParams": {"gate": str(gate)}}


def by_hand(client: httpx.Client, **members: object) -> str:
    """A definition that only runs when it is triggered; its id."""
    schedule = {"scheduleType": "ONCE", "runAt": rfc3339(now_ms() + FAR_MS)}
    return str(created(client, **{"taskName": "by hand", **schedule, **members})["id"])


def triggered(client: httpx.Client, definition: str, count: int = 1) -> list[str]:
    """Runs of it by hand, asked for at once: which of them starts first is open. Their ids."""
    made = posted(client, f"/definitions/{definition}/trigger", {"batch": [{}] * count})
    return [str(item["id"]) for item in made["items"]]


def posted(client: httpx.Client, path: str, body: Json | None = None, *, status: int = 201) -> Json:
    """What a POST answers; fails with the problem if it was refused."""
    answer = client.post(path, json=body or {})
    assert answer.status_code == status, answer.text
    found: Json = answer.json()
    return found


def every(client: httpx.Client, path: str, **filters: str) -> list[Json]:
    """All items of a list, page after page."""
    items: list[Json] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(path, params={"limit": "500", **filters, **({"cursor": cursor} if cursor else {})}).json()
        items += page["items"]
        cursor = page["nextCursor"]
    return items


def runs(client: httpx.Client, definition: str, at_least: int, **filters: str) -> list[Json]:
    """Its instances, the oldest instant first, as soon as there are so many."""

    def found() -> list[Json]:
        return every(client, "/instances", taskDefinitionId=definition, **filters)

    enough = wait_until_blocking(
        lambda: items if len(items := found()) >= at_least else None,
        f"{at_least} runs",
        timeout_s=PATIENCE_S,
        interval_s=0.05,
    )
    assert enough is not None
    return sorted(enough, key=lambda one: str(one["id"]))


def instance(client: httpx.Client, instance_id: str) -> Json:
    """It, with its attempts."""
    answer = client.get(f"/instances/{instance_id}")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def shown(client: httpx.Client, instance_id: str, status: str) -> Json:
    """It, as soon as it has this status."""

    def look() -> Json | None:
        seen = instance(client, instance_id)
        return seen if seen["status"] == status else None

    found = wait_until_blocking(look, f"it is {status}", timeout_s=PATIENCE_S, interval_s=0.02)
    assert found is not None
    return found


def waiting(client: httpx.Client, instance_id: str, reason: str) -> Json:
    """What its `waitingFor` says beside the reason, as soon as it names this one. Fails with what it named instead."""
    named: list[object] = []

    def look() -> Json | None:
        told = instance(client, instance_id)["waitingFor"]
        if told not in named:
            named.append(told)
        return told if told is not None and told["reason"] == reason else None

    try:
        found = wait_until_blocking(look, f"it waits for {reason}", interval_s=0.02)
    except AssertionError as error:
        raise AssertionError(f"{error}; it has named {named}") from None
    assert found is not None
    return {member: value for member, value in found.items() if member != "reason"}


def entries(client: httpx.Client, definition: str) -> list[Json]:
    """What was decided of its instants, the oldest first; what is to come is left out."""
    page = ledger_page(client, definition)
    assert page["nextCursor"] is None
    return [one for one in page["items"] if one["outcome"] != "UPCOMING"]


def ledger_page(client: httpx.Client, definition: str) -> Json:
    """One page of its ledger, from before its creation until now."""
    span = {"from": rfc3339(now_ms() - FAR_MS), "to": rfc3339(now_ms()), "limit": "500"}
    answer = client.get(f"/definitions/{definition}/fires", params=span)
    assert answer.status_code == 200, answer.text
    page: Json = answer.json()
    return page


def until_ledger(client: httpx.Client, definition: str, holds: Callable[[list[Json]], object], what: str) -> None:
    """Return when the ledger holds it. Fails with the ledger as it is instead."""
    try:
        wait_until_blocking(lambda: holds(entries(client, definition)), what, interval_s=0.05)
    except AssertionError as error:
        raise AssertionError(f"{error}; the ledger: {entries(client, definition)}") from None


@contextmanager
def limited(stack: RunningStack, given: str, lifted: str) -> Iterator[None]:
    """A limit of the tenant `default`, set and lifted on the command line."""
    done = run(stack, "tenants", "set", "default", given)
    assert done.returncode == ExitCode.OK, done.stderr
    try:
        yield
    finally:
        done = run(stack, "tenants", "set", "default", lifted)
        assert done.returncode == ExitCode.OK, done.stderr


def end_everything(client: httpx.Client) -> None:
    """Delete the tenant's definitions, and cancel what runs of them; return when it has ended."""
    for definition in every(client, "/definitions"):
        deleted = client.delete(f"/definitions/{definition['id']}", params={"cancelRunning": "true"})
        assert deleted.status_code == 204, deleted.text
    for status in ("RUNNING", "PENDING"):
        wait_until_blocking(
            lambda status=status: not client.get("/instances", params={"status": status}).json()["items"],  # type: ignore[misc]
            f"nothing is {status}",
            timeout_s=PATIENCE_S,
            interval_s=0.05,
        )
