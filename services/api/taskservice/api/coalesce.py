"""Many single questions, one query: what was asked within one moment is read together."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Coalesced(Generic[K, V]):
    """Reads values by key, bulk by bulk.

    Keys that are asked for before the event loop comes round are one call of `load`; while it runs, those that come
    are the next one. At most `concurrency` calls run at once, so a burst makes calls larger and not more.

    :param load: the values of these keys; a key without value is left out.
    :param most: keys of one call.
    """

    def __init__(
        self,
        load: Callable[[tuple[K, ...]], Awaitable[Mapping[K, V]]],
        *,
        most: int = 500,
        concurrency: int = 1,
    ) -> None:
        self._load = load
        self._most = most
        self._free = concurrency
        self._asked: dict[K, asyncio.Future[V | None]] = {}
        self._scheduled = False
        self._running: set[asyncio.Task[None]] = set()

    async def get(self, key: K) -> V | None:
        """The value of `key`, read after this call; None when there is none.

        :raises Exception: what `load` raised, for every key of that call.
        """
        answer = self._asked.get(key)
        if answer is None:
            answer = self._asked[key] = asyncio.get_running_loop().create_future()
            self._schedule()
        return await asyncio.shield(answer)

    def _schedule(self) -> None:
        if not self._scheduled and self._free > 0:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        self._scheduled = False
        if not self._asked or self._free <= 0:
            return
        keys = tuple(self._asked)[: self._most]
        answers = {key: self._asked.pop(key) for key in keys}
        self._free -= 1
        task = asyncio.get_running_loop().create_task(self._run(answers))
        self._running.add(task)
        task.add_done_callback(self._ended)
        if self._asked:
            self._schedule()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._free += 1
        if self._asked:
            self._schedule()

    async def _run(self, answers: dict[K, "asyncio.Future[V | None]"]) -> None:
        try:
            values = await self._load(tuple(answers))
        except Exception as error:  # noqa: BLE001 - it belongs to those who asked, and they get it
            for answer in answers.values():
                if not answer.done():
                    answer.set_exception(error)
                    answer.exception()  # whoever asked may have gone: then nobody misses it
            return
        for key, answer in answers.items():
            if not answer.done():
                answer.set_result(values.get(key))
