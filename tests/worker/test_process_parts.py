"""The pure parts of isolation PROCESS: lines, frames, environment, verdicts."""

import asyncio

import pytest

from taskservice.domain.dispatch import WorkOrder
from taskservice.worker.context import TaskContext
from taskservice.worker.log_buffer import LogBuffer
from taskservice.worker.outcome import Failure, Success
from taskservice.worker.process import messages as m
from taskservice.worker.process.attempt_meter import MAX_OUTPUT_BYTES, AttemptMeter
from taskservice.worker.process.environment import clean_environment
from taskservice.worker.process.frames import MAX_FRAME_BYTES, BrokenFrameError, FrameBuffer, frame
from taskservice.worker.process.lines import KEPT_BYTES, LineSplitter
from taskservice.worker.process.runner import Asking
from taskservice.worker.process.verdict import crashed, outcome_of


def test_lines_come_out_whole_however_the_bytes_arrive() -> None:
    text = "eins\r\nzwei\n\n上海\nlast".encode()
    for size in (1, 2, 3, len(text)):
        splitter = LineSplitter()
        lines = [line for at in range(0, len(text), size) for line in splitter.feed(text[at : at + size])]
        assert lines + splitter.finish() == ["eins", "zwei", "上海", "last"]
        assert splitter.finish() == []


def test_a_line_without_end_costs_its_first_16_000_bytes() -> None:
    splitter = LineSplitter()
    for _ in range(1_000):
        assert splitter.feed(b"z" * 1_000) == []

    assert splitter.feed(b"\nnext\n") == ["z" * KEPT_BYTES + f" … [{1_000_000 - KEPT_BYTES} bytes cut]", "next"]


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert LineSplitter().feed(b"\xff\xfe caf\xc3\xa9\n") == ["\ufffd\ufffd café"]


def test_frames_come_out_whole_however_the_bytes_arrive() -> None:
    stream = frame(b"one") + frame(b"") + frame(b"x" * 70_000)
    for size in (1, 5, 65_536):
        frames = FrameBuffer()
        found = [one for at in range(0, len(stream), size) for one in frames.feed(stream[at : at + size])]
        assert found == [b"one", b"", b"x" * 70_000]


def test_what_is_no_frame_is_refused_before_it_is_waited_for() -> None:
    with pytest.raises(BrokenFrameError):
        FrameBuffer().feed((MAX_FRAME_BYTES + 1).to_bytes(4, "big"))


def test_of_one_attempt_one_line_more_is_kept_than_an_instance_has_so_that_somebody_says_so() -> None:
    meter = AttemptMeter(m.Limits())
    lines = [m.Line("INFO", "x")] * 60_000

    assert [len(meter.keep(lines)) for _ in range(3)] == [60_000, 40_001, 0]
    assert not meter.output(1), "nothing of it can be kept any more"


def test_what_is_written_is_counted_whether_it_is_kept_or_not() -> None:
    meter = AttemptMeter(m.Limits())
    meter.output(MAX_OUTPUT_BYTES)
    assert meter.look() is None
    meter.output(1)
    assert meter.look() == m.Exceeded("output", MAX_OUTPUT_BYTES, MAX_OUTPUT_BYTES + 1)


OWN = {
    "PATH": "/opt/bin", "LC_ALL": "C", "HOME": "/home/me", "TOKEN": "t", "DATABASE_URL": "d", "REDIS_PASSWORD": "r",
    "mysql_password": "m", "TASKSERVICE_API_KEY": "k", "APP_TASK_X": "x", "NACOS_SERVER_ADDR": "n",
}  # fmt: skip


def test_a_process_gets_what_it_needs_and_what_is_named_but_no_setting_of_the_service() -> None:
    assert clean_environment(OWN, ()) == {"PATH": "/opt/bin", "LC_ALL": "C", "HOME": "/home/me", "LANG": "C.UTF-8"}
    named = clean_environment(OWN, ("DATABASE_URL", "REDIS_PASSWORD", "mysql_password", "NOT_THERE"))
    assert named.keys() == {"PATH", "LC_ALL", "HOME", "LANG", "DATABASE_URL"}
    assert clean_environment({}, ()) == {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}


LIMITED = m.Limits(memory_bytes=1_000, cpu_ms=5)
VERDICTS: list[tuple[m.End, m.Limits, str, str]] = [
    (m.Answered(ok=False, error_type="E", message="why"), LIMITED, "E", "why"),
    (m.Answered(ok=False, error_type="MemoryError"), LIMITED, "MemoryLimitExceeded", "below 1000 bytes"),
    (m.Answered(ok=False, error_type="MemoryError", message="host"), m.Limits(), "MemoryError", "host"),
    (m.Exited(-11, "bye"), LIMITED, "ProcessCrashed", "signal SIGSEGV before it answered; its last words: bye"),
    (m.Exited(-64), LIMITED, "ProcessCrashed", "signal"),
    (m.Exited(3), LIMITED, "ProcessCrashed", "status 3 before"),
    (m.Exceeded("memory", 1_000, 2_000), LIMITED, "MemoryLimitExceeded", "2000 bytes of memory, at most 1000"),
    (m.Exceeded("cpu", 5, 6), LIMITED, "CpuLimitExceeded", "6 ms of CPU time, at most 5"),
    (m.Exceeded("processes", 256, 257), LIMITED, "ProcessLimitExceeded", "257 processes at once, at most 256"),
    (m.Exceeded("output", 10, 11), LIMITED, "OutputLimitExceeded", "11 bytes of output, at most 10"),
    (m.Killed(), LIMITED, "ProcessKilled", "ended"),
    (m.NotStarted("no module"), LIMITED, "ProcessNotStarted", "no module"),
]


@pytest.mark.parametrize(("end", "limits", "error_type", "words"), VERDICTS)
def test_every_end_has_its_error_type(end: m.End, limits: m.Limits, error_type: str, words: str) -> None:
    outcome = outcome_of(end, limits, crashed)

    assert isinstance(outcome, Failure)
    assert outcome.error_type == error_type
    assert words in outcome.message


def test_an_answer_is_a_success_with_its_json() -> None:
    outcome = outcome_of(m.Answered(ok=True, result=b'{"a":1}'), LIMITED, crashed)

    assert isinstance(outcome, Success)
    assert bytes(outcome.result) == b'{"a":1}'


def test_a_wish_to_end_that_comes_when_the_loop_of_the_handler_is_closed_harms_nobody() -> None:
    order = WorkOrder(
        instance_id="i", tenant_id="t", definition_id="d", definition_version=1, task_name="n", handler="h", attempt=1,
        fire_time=0, dispatched_at=0,
    )  # fmt: skip
    context = TaskContext(order, LogBuffer(lambda: 0))
    asking = Asking()
    asking.begin(context)

    async def handler() -> str:
        with asking.on_loop():
            return "done"

    answer = asyncio.run(handler())
    asking.ask()

    assert answer == "done"
    assert context.cancelled
