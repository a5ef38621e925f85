"""A client of the HTTP API who writes down every call: what was asked, when, and what the answer said."""

import hashlib
import random
import re
import uuid
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import httpx
import msgspec
from tests.faults.harness.records import Records, now_ms

from taskservice.testing.checkers.evidence import Call, Sighting

UNKNOWN_IF_503: Final = "storage-unavailable"
"""The problem that says of a write: it is not known whether it was taken. (A read did nothing in any case.)"""

TERMINAL: Final = frozenset({"SUCCESS", "FAILED", "CANCELLED"})
_ID: Final = re.compile(r"[0-9a-f-]{36}")

Outcome = Literal["ok", "refused", "unknown"]


@dataclass
class Answer:
    """What came back. `status` 0: nothing did."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return 200 <= self.status < 300


class RecordingClient:
    """One tenant's client; used by one thread.

    :param chance: where its idempotency keys come from, so that a seed makes the same ones.
    """

    def __init__(self, http: httpx.Client, tenant: str, records: Records, chance: random.Random) -> None:
        self._http = http
        self._tenant = tenant
        self._records = records
        self._chance = chance

    def new_key(self) -> str:
        """An Idempotency-Key."""
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def write(
        self,
        kind: str,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str = "",
        respond_async: bool = False,
        instance_id: str = "",
    ) -> Answer:
        """Ask for a change.

        :param kind: the command's type. :param key: the Idempotency-Key; '' = none. :param instance_id: the run that it is about.
        """
        content = b"" if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"} if content else {}
        headers |= {"Idempotency-Key": key} if key else {}
        headers |= {"Prefer": "respond-async"} if respond_async else {}
        begun = now_ms()
        answer = self._ask(method, path, content, headers)
        body_sha = hashlib.sha256(b"\0".join((method.encode(), path.encode(), content))).hexdigest()
        self._records.calls.append(
            Call(
                tenant=self._tenant,
                kind=kind,
                begun_ms=begun,
                ended_ms=now_ms() if answer.status else None,
                outcome=_outcome(answer),
                status=answer.status or None,
                command_id=_command_id(kind, answer),
                idempotency_key=key,
                body_sha=body_sha,
                instance_id=instance_id or _instance_id(kind, answer),
                cancelled_as=_cancelled_as(kind, answer),
                position=_position(answer),
                answer=answer.text,
            )
        )
        return answer

    def read(self, path: str, *, min_position: int | None = None) -> Answer:
        """Ask what there is.

        :param min_position: see nothing older.
        """
        begun = now_ms()
        asked = path if min_position is None else f"{path}{'&' if '?' in path else '?'}minPosition={min_position}"
        answer = self._ask("GET", asked, b"", {})
        self._records.calls.append(
            Call(
                tenant=self._tenant,
                kind=f"GET {_ID.sub('{id}', path.partition('?')[0])}",
                begun_ms=begun,
                ended_ms=now_ms() if answer.status else None,
                outcome="ok" if answer.ok else "refused",
                status=answer.status or None,
                position=_position(answer),
                min_position=min_position,
                answer=answer.text,
            )
        )
        return answer

    def _ask(self, method: str, path: str, content: bytes, headers: dict[str, str]) -> Answer:
        try:
            response = self._http.request(method, path, content=content, headers=headers)
        except httpx.HTTPError:
            return Answer(0)
        try:
            body = msgspec.json.decode(response.content) if response.content else None
        except msgspec.DecodeError:
            body = None
        answer = Answer(response.status_code, body, dict(response.headers), response.text)
        position = _position(answer)
        if answer.ok and position:
            self._records.sightings.append(Sighting("api", f"-{position}"))
        return answer


def _outcome(answer: Answer) -> Outcome:
    if answer.ok:
        return "ok"
    undecided = answer.status == 503 and _member(answer, "code") == UNKNOWN_IF_503
    if answer.status in {0, 500} or undecided:
        return "unknown"
    return "refused"


def _command_id(kind: str, answer: Answer) -> str:
    if answer.status == 202:
        return _member(answer, "id")
    if answer.ok and kind in {"CancelInstance", "RetryInstance"}:
        return ""  # the instance names the command that made it, not this one
    return _member(answer, "commandId")


def _instance_id(kind: str, answer: Answer) -> str:
    return _member(answer, "id") if kind == "TriggerDefinition" and answer.status == 201 else ""


def _cancelled_as(kind: str, answer: Answer) -> str:
    if kind != "CancelInstance":
        return ""
    status = _member(answer, "status" if answer.status == 200 else "currentStatus")
    return status if status in TERMINAL else ""  # still open: a success that is under way wins


def _member(answer: Answer, name: str) -> str:
    value = answer.body.get(name) if isinstance(answer.body, dict) else None
    return value if isinstance(value, str) else ""


def _position(answer: Answer) -> int | None:
    value = answer.headers.get("task-position", "")
    return int(value) if value.isdigit() else None
