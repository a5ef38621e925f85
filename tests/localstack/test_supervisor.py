"""The supervisor: what dies is started again, what is stopped stays stopped, and nothing outlives it."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.localstack.living import runs

from taskservice.clock import SystemClock
from taskservice.localstack.supervisor import BecameReady, Died, Happening, ProcessSpec, Started, Supervisor
from taskservice.testing.waiting import wait_until, wait_until_blocking

SLEEPER = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)
DIES_YOUNG = "import sys; sys.exit('cannot find the thing')"


def spec(tmp_path: Path, name: str, code: str, answers: Callable[[], bool] = lambda: True) -> ProcessSpec:
    return ProcessSpec(
        name=name, role="worker", command=[sys.executable, "-c", code], log=tmp_path / f"{name}.log", answers=answers,
        stop_grace_s=0.3,
    )  # fmt: skip


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(SystemClock())
    yield supervisor
    supervisor.kill_all()
    await supervisor.stop(list(supervisor.processes))


async def turns_until(supervisor: Supervisor, wanted: type[Happening]) -> list[Happening]:
    seen: list[Happening] = []

    async def turn() -> bool:
        seen.extend(await supervisor.run_once())
        return any(isinstance(happening, wanted) for happening in seen)

    await wait_until(turn, f"a turn with {wanted.__name__}")
    return seen


async def test_the_first_turn_starts_and_the_answer_makes_it_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.add(spec(tmp_path, "one", SLEEPER))

    happenings = await supervisor.run_once()

    pid = supervisor.processes["one"].pid
    assert pid is not None
    assert happenings[0] == Started("one", pid, 0)
    assert isinstance(happenings[1], BecameReady)


async def test_a_killed_process_is_started_again_and_the_kill_is_named(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.add(spec(tmp_path, "one", SLEEPER))
    await supervisor.run_once()
    first = supervisor.processes["one"].pid
    assert first is not None

    os.kill(first, signal.SIGKILL)
    died = await turns_until(supervisor, Died)
    again = await turns_until(supervisor, Started)

    assert [happening.words for happening in died if isinstance(happening, Died)] == ["signal SIGKILL"]
    second = supervisor.processes["one"].pid
    assert again == [Started("one", second or 0, 1), *[h for h in again if isinstance(h, BecameReady)]]
    assert second != first


async def test_what_dies_young_waits_longer_each_time_and_shows_its_last_words(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.add(spec(tmp_path, "one", DIES_YOUNG, answers=lambda: False))

    delays: list[int] = []
    words: list[str] = []
    for _ in range(3):
        for happening in await turns_until(supervisor, Died):
            if isinstance(happening, Died):
                delays.append(happening.delay_ms)
                words.append(happening.output)

    assert delays == [200, 400, 800]
    assert words == ["cannot find the thing"] * 3


async def test_a_process_that_does_not_answer_is_not_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.add(spec(tmp_path, "one", SLEEPER, answers=lambda: False))

    await supervisor.run_once()
    await supervisor.run_once()

    assert not supervisor.processes["one"].ready


async def test_stopping_ends_it_and_forgets_it(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.add(spec(tmp_path, "one", SLEEPER))
    await supervisor.run_once()
    pid = supervisor.processes["one"].pid
    assert pid is not None

    await supervisor.stop(["one"])

    assert not runs(pid)
    assert supervisor.processes == {}
    assert await supervisor.run_once() == []


async def test_what_ignores_the_request_to_end_is_killed_after_its_grace(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.add(spec(tmp_path, "one", STUBBORN))
    await supervisor.run_once()
    pid = supervisor.processes["one"].pid
    assert pid is not None
    await wait_until(lambda: "up" in (tmp_path / "one.log").read_text(), "the process ignores SIGTERM")

    await supervisor.stop(["one"])

    assert not runs(pid)


def test_two_processes_of_one_name_are_refused(tmp_path: Path) -> None:
    supervisor = Supervisor(SystemClock())
    supervisor.add(spec(tmp_path, "one", SLEEPER))

    with pytest.raises(ValueError, match="one"):
        supervisor.add(spec(tmp_path, "one", SLEEPER))


SUPERVISING = """
import asyncio, sys
from pathlib import Path
from taskservice.clock import SystemClock
from taskservice.localstack.supervisor import ProcessSpec, Supervisor

async def main(folder):
    supervisor = Supervisor(SystemClock())
    for name in ("one", "two"):
        supervisor.add(ProcessSpec(name=name, role="worker", command=[sys.executable, "-c", "import time; time.sleep(600)"],
                                   log=folder / (name + ".log"), answers=lambda: True))
    while True:
        await supervisor.run_once()
        (folder / "pids").write_text(" ".join(str(one.pid) for one in supervisor.processes.values()))
        await asyncio.sleep(0.05)

asyncio.run(main(Path(sys.argv[1])))
"""


def test_killing_the_supervisor_leaves_no_orphans(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", SUPERVISING, str(tmp_path)])
    pids_file = tmp_path / "pids"
    wait_until_blocking(lambda: pids_file.exists() and pids_file.read_text(), "the supervisor has started its two")
    pids = [int(text) for text in pids_file.read_text().split()]
    assert len(pids) == 2
    assert all(runs(pid) for pid in pids)

    process.kill()
    process.wait()

    wait_until_blocking(lambda: not any(runs(pid) for pid in pids), "both children are gone")
