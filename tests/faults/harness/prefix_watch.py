"""A thread that looks at the tables all the time, row by row: whatever anybody may see is a prefix of the log."""

import asyncio
import threading
from types import TracebackType
from typing import Final, Self

from taskservice.storage.database import Limits, open_database
from taskservice.storage.errors import StorageError
from taskservice.testing.prefix import PrefixSampler, Sample
from taskservice.testing.waiting import wait_until_blocking

LOOK_EVERY_S: Final = 0.05
JOIN_S: Final = 30.0
PATIENCE_S: Final = 240.0
LIMITS: Final = Limits(connect_s=2.0, statement_s=5.0)
MOST_SHOWN: Final = 10


class PrefixWatch:
    """Samples between its begin and its end, as a context manager; see `PrefixSampler`.

    :param mysql_url: of the server itself, past every proxy.
    :ivar samples: what was found, in order. :ivar unanswered: looks that the database did not answer.
    """

    def __init__(self, mysql_url: str) -> None:
        self._mysql_url = mysql_url
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prefix-watch", daemon=True)
        self._failure: BaseException | None = None
        self.samples: list[Sample] = []
        self.unanswered = 0
        self._trouble = ""

    def wait_for(self, answered: int) -> None:
        """Wait until so many looks were answered: call it while the workload still runs."""
        try:
            wait_until_blocking(
                lambda: self._failure is not None or len(self.samples) >= answered,
                f"{answered} samples",
                timeout_s=PATIENCE_S,
                interval_s=LOOK_EVERY_S,
            )
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.told}") from None

    @property
    def told(self) -> str:
        """What was done, and what a look cost."""
        costs = sorted(sample.took_ms for sample in self.samples) or [0.0]
        return (
            f"{len(self.samples)} samples of {sum(sample.rows for sample in self.samples)} rows, {costs[len(costs) // 2]:.0f} ms "
            f"in the middle, {costs[-1]:.0f} ms at most; {self.unanswered} looks not answered {self._trouble}"
        )

    def require(self, at_least: int) -> None:
        """So many looks were answered, each found a prefix, and none an older one than the look before.

        :raises AssertionError: says what was found.
        """
        assert self._failure is None, f"the sampler broke: {self._failure!r}"
        broken = [sample for sample in self.samples if sample.differences]
        shown = "\n".join(
            f"  at {sample.position}: {difference}" for sample in broken for difference in sample.differences[:2]
        )
        assert not broken, f"{len(broken)} of {len(self.samples)} samples are no prefix:\n{shown[:4_000]}"
        positions = [sample.position for sample in self.samples]
        assert positions == sorted(positions), "the checkpoint went back"
        assert len(self.samples) >= at_least, self.told

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._look())
        except BaseException as error:  # noqa: BLE001 - told by `require`, in the test's own thread
            self._failure = error

    async def _look(self) -> None:
        database = open_database(self._mysql_url, limits=LIMITS)
        sampler = PrefixSampler(database)
        try:
            while not self._ended.is_set():
                try:
                    self.samples.append(await sampler.sample())
                except StorageError as error:
                    self.unanswered += 1
                    self._trouble = f"(the last: {error})"
                await asyncio.to_thread(self._ended.wait, LOOK_EVERY_S)
        finally:
            await database.close()
