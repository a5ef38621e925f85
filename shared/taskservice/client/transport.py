"""How requests travel: problems become errors, what may be sent again is, a 202 is waited for."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
import msgspec
from httpx_sse import EventSource

from taskservice.client.errors import ApiError, StillPendingError, UnreachableError
from taskservice.client.values import Command, Problem

PREFIX: Final = "/api/v1/tasks"
SENDINGS: Final = 4
"""How often a request is sent at most."""
LONGEST_PAUSE_S: Final = 10.0
"""A service that wants to be left alone for longer is not asked again."""
LOOK_EVERY_S: Final = (0.1, 0.2, 0.5, 1.0)
"""Between looks at a command that is not decided; the last one repeats."""
BROKEN: Final = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
"""The connection broke under the request; a kept one may just have been closed by the other side."""
BUSY: Final = frozenset({httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE})

T = TypeVar("T")


class Transport:
    """Sends requests to one service under one key.

    :param timeout_s: of one request. :param patience_s: for the outcome of a command that was answered with 202.
    """

    def __init__(
        self, url: str, api_key: str, *, timeout_s: float, patience_s: float, transport: httpx.AsyncBaseTransport | None
    ) -> None:
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=timeout_s, transport=transport)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> httpx.Response:
        """Read; None among the parameters = not given.

        :raises UnreachableError: no answer. :raises ApiError: refused.
        """
        return await self._request("GET", PREFIX + path, params=given(parameters))

    async def get_open(self, path: str) -> httpx.Response:
        """Read a path outside of the API's prefix; any status is an answer.

        :raises UnreachableError: no answer.
        """
        return await self._once("GET", path)

    async def read(self, path: str, kind: type[T], parameters: Mapping[str, Any] | None = None) -> T:
        """Read and decode.

        :raises UnreachableError: no answer, or a strange one. :raises ApiError: refused.
        """
        return decoded(await self.get(path, parameters), kind)

    async def post(self, path: str, body: Mapping[str, Any], *, idempotency_key: str | None = None) -> httpx.Response:
        """Ask for something under an idempotency key (a new one, if none is given), so that it may be sent again.

        :raises UnreachableError: no answer. :raises ApiError: refused. :raises StillPendingError: not decided in time.
        """
        key = idempotency_key or secrets.token_hex(16)

        async def send() -> httpx.Response:
            return await self._request("POST", PREFIX + path, headers={"Idempotency-Key": key}, json=body)

        answer = await send()
        if answer.status_code != httpx.codes.ACCEPTED:
            return answer
        await self._decided(answer)
        answer = await send()  # the same key: the outcome as it would have been answered at once
        if answer.status_code == httpx.codes.ACCEPTED:
            raise StillPendingError(command_id_of(answer))
        return answer

    async def change(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        version: int | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> httpx.Response | None:
        """PUT, PATCH or DELETE. None = it was decided later than the answer came; read the resource for what it is now.

        :param version: the one that must be in force (`If-Match`).
        :raises UnreachableError: no answer. :raises ApiError: refused. :raises StillPendingError: not decided in time.
        """
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        content = {} if body is None else {"json": body}
        answer = await self._request(
            method,
            PREFIX + path,
            headers=headers,
            params=given(parameters),
            # Sent again, a versioned change would meet its own new version.
            may_repeat=version is None and method != "PATCH",
            **content,
        )
        if answer.status_code != httpx.codes.ACCEPTED:
            return answer
        await self._decided(answer)
        return None

    @asynccontextmanager
    async def stream(
        self, path: str, parameters: Mapping[str, Any], *, headers: Mapping[str, str], silence_s: float
    ) -> AsyncIterator[EventSource]:
        """Read an event stream; breaks surface while it is read, as `httpx.TransportError`.

        :param silence_s: a stream that says nothing for so long, not even a heartbeat, is broken.
        :raises ApiError: refused. :raises UnreachableError: an answer that is no event stream.
        """
        timeout = httpx.Timeout(self._timeout_s, read=silence_s)
        asked = {"Accept": "text/event-stream", "Cache-Control": "no-store", **headers}
        async with self._http.stream(
            "GET", PREFIX + path, params=given(parameters), headers=asked, timeout=timeout
        ) as answer:
            if not answer.is_success:
                await answer.aread()
                raise self._refusal(answer)
            yield EventSource(answer)

    async def wait_for_command(self, command_id: str) -> Command:
        """The command once it is decided, accepted or rejected.

        :raises StillPendingError: it is not, within the patience.
        :raises UnreachableError: no answer. :raises ApiError: refused.
        """
        pauses = [*LOOK_EVERY_S]
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._patience_s
        while True:
            command = await self.read(f"/commands/{segment(command_id)}", Command)
            if command.status != "PENDING":
                return command
            pause = pauses.pop(0) if len(pauses) > 1 else pauses[0]
            if loop.time() + pause > give_up_at:
                raise StillPendingError(command_id)
            await asyncio.sleep(pause)

    async def _decided(self, answer: httpx.Response) -> None:
        command = await self.wait_for_command(command_id_of(answer))
        if command.problem is not None:
            raise ApiError(command.problem)

    async def _request(self, method: str, path: str, *, may_repeat: bool = True, **options: Any) -> httpx.Response:
        """Send, and send again what was not taken: a busy service, a connection that broke under a repeatable one."""
        for sending in range(1, SENDINGS + 1):
            try:
                answer = await self._http.request(method, path, **options)
            except BROKEN as error:
                if not may_repeat or sending > 1:
                    raise self._no_answer(error) from error
                continue
            except httpx.HTTPError as error:
                raise self._no_answer(error) from error
            if answer.is_success:
                return answer
            pause_s = pause_of(answer)
            untaken = answer.status_code == httpx.codes.TOO_MANY_REQUESTS or _is_shed(answer)
            again = answer.status_code in BUSY and (may_repeat or untaken)
            if not again or sending == SENDINGS or pause_s > LONGEST_PAUSE_S:
                raise self._refusal(answer)
            await asyncio.sleep(pause_s)
        raise UnreachableError(f"{self.url} does not answer")

    async def _once(self, method: str, path: str) -> httpx.Response:
        try:
            return await self._http.request(method, path)
        except httpx.HTTPError as error:
            raise self._no_answer(error) from error

    def _no_answer(self, error: httpx.HTTPError) -> UnreachableError:
        return UnreachableError(f"{self.url} does not answer: {str(error) or type(error).__name__}")

    def _refusal(self, answer: httpx.Response) -> ApiError | UnreachableError:
        try:
            return ApiError(msgspec.json.decode(answer.content, type=Problem))
        except msgspec.DecodeError:
            return UnreachableError(f"{self.url} answered {answer.status_code} without a problem")


def _is_shed(answer: httpx.Response) -> bool:
    """Whether the service says that it took nothing, for want of room."""
    try:
        return msgspec.json.decode(answer.content, type=Problem).code == "overloaded"
    except msgspec.DecodeError:
        return False


def pause_of(answer: httpx.Response) -> float:
    """How long a busy service wants to be left alone, in seconds; infinite when it does not say."""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else float("inf")


def command_id_of(answer: httpx.Response) -> str:
    """The command that a 202 names."""
    return str(answer.headers.get("location", "")).rpartition("/")[2]


def given(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Those that are not None; booleans in the words of JSON."""
    return {
        name: ("true" if value else "false") if isinstance(value, bool) else value
        for name, value in (parameters or {}).items()
        if value is not None
    }


def segment(part: str) -> str:
    """A part of a path, quoted."""
    return quote(part, safe="")


def decoded(answer: httpx.Response, kind: type[T]) -> T:
    """The body.

    :raises UnreachableError: it is something else.
    """
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except msgspec.DecodeError as error:
        raise UnreachableError(f"{answer.url} answered something else: {error}") from error
