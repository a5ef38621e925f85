"""What a handler's end means, and what is reported of it."""

import datetime as dt
from collections.abc import Callable
from typing import cast

import msgspec
import pytest

from taskservice.domain.reports import (
    MAX_ERROR_BYTES,
    MAX_RESULT_BYTES,
    AnyReport,
    Failed,
    Interrupted,
    Returned,
    Stopped,
    Succeeded,
    TimedOut,
    decode_reports,
    encode_report,
)
from taskservice.worker import TaskResult
from taskservice.worker.cleaning import clean, cut
from taskservice.worker.outcome import (
    Ended,
    Failure,
    NeverCalled,
    Outcome,
    StopReason,
    Success,
    Times,
    failure_of,
    report_of,
    success_of,
)

RAN = Times(started_at=1_000, ended_at=1_500)
NOT_CALLED = Times(started_at=None, ended_at=1_500)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, b"null"),
        (0, b"0"),
        ("", b'""'),
        ({"a": [1, 2.5, None]}, b'{"a":[1,2.5,null]}'),
        (TaskResult.success(), b"null"),
        (TaskResult.success([1]), b"[1]"),
        (dt.date(2026, 11, 23), b'"2026-11-23"'),
    ],
)
def test_a_returned_value_is_the_result(value: object, text: bytes) -> None:
    outcome = success_of(value)

    assert isinstance(outcome, Success)
    assert bytes(outcome.result) == text


@pytest.mark.parametrize(
    ("value", "error_type"),
    [
        (object(), "ResultNotJson"),
        ({"f": open}, "ResultNotJson"),
        ("\ud800", "ResultNotJson"),
        ("x" * (MAX_RESULT_BYTES - 1), "ResultTooLarge"),
        (TaskResult.success("字" * 30_000), "ResultTooLarge"),
    ],
)
def test_a_result_that_can_not_be_stored_is_a_failure(value: object, error_type: str) -> None:
    outcome = success_of(value)

    assert isinstance(outcome, Failure)
    assert outcome.error_type == error_type
    assert not outcome.retry


@pytest.mark.parametrize("raw", [b"{", b"", b"]", b'"\xff"', b"1]],[["])
@pytest.mark.parametrize("wrap", [lambda raw: raw, lambda raw: {"rows": raw}, TaskResult.success])
def test_what_is_written_as_it_is_must_be_json_as_well(raw: bytes, wrap: Callable[[msgspec.Raw], object]) -> None:
    """Reports travel in packs, joined as text: one that is no JSON would make the others unreadable."""
    outcome = success_of(wrap(msgspec.Raw(raw)))

    assert isinstance(outcome, Failure)
    assert outcome.error_type == "ResultNotJson"
    assert not outcome.retry


@pytest.mark.parametrize(
    ("pause", "ms"),
    [(1_500.0, 1_500), (0.2, 1), (-3.5, 0), (True, 1), (float("nan"), 0), (float("inf"), 86_400_000), ("30", 0)],
)
def test_a_pause_of_any_type_can_be_read_by_the_leader(pause: object, ms: int) -> None:
    """`float(headers["Retry-After"]) * 1000` is what people write."""
    outcome = success_of(TaskResult.failure("busy", retry_after_ms=cast("int", pause)))

    assert _read_by_the_leader(outcome) == Failed(7, 1_000, 1_500, "TaskFailure", "busy", True, ms)


@pytest.mark.parametrize(("retry", "again"), [("no", True), (None, False), (0, False), (1, True)])
def test_whether_to_retry_is_yes_or_no(retry: object, again: bool) -> None:
    outcome = success_of(TaskResult.failure("x", retry=cast("bool", retry)))

    assert _read_by_the_leader(outcome) == Failed(7, 1_000, 1_500, "TaskFailure", "x", again)


def test_a_failure_told_with_the_exception_itself_keeps_its_words() -> None:
    told = TaskResult.failure(cast("str", ValueError("no such file")), error_type=cast("str", ValueError))

    assert _read_by_the_leader(success_of(told)) == Failed(7, 1_000, 1_500, "ValueError", "no such file")


def _read_by_the_leader(outcome: Outcome) -> AnyReport:
    (report,) = decode_reports(b"[" + encode_report(report_of(outcome, 7, RAN)) + b"]")
    return report


def test_the_largest_result_passes() -> None:
    assert isinstance(success_of("x" * (MAX_RESULT_BYTES - 2)), Success)


def test_a_circular_result_is_a_failure_and_no_crash() -> None:
    circle: list[object] = []
    circle.append(circle)

    assert isinstance(success_of(circle), Failure)


def test_failures_carry_what_the_handler_said() -> None:
    assert success_of(TaskResult.failure("no")) == Failure("TaskFailure", "no", retry=True)
    assert success_of(TaskResult.failure("no", retry=False, error_type="X")) == Failure("X", "no", retry=False)
    assert failure_of(KeyError("k")) == Failure("KeyError", "'k'", retry=True)
    assert failure_of(ValueError()) == Failure("ValueError", "ValueError", retry=True)


def test_an_exception_that_can_not_be_printed() -> None:
    class Rude(Exception):  # noqa: N818
        def __str__(self) -> str:
            raise RuntimeError

    assert failure_of(Rude()).message == "<no text: __str__ raised RuntimeError>"


def test_a_long_message_is_cut_with_a_mark() -> None:
    outcome = failure_of(ValueError("字" * 50_000))

    assert len(outcome.message.encode()) < MAX_ERROR_BYTES
    kept = outcome.message.count("字")
    assert outcome.message.endswith(f"[{150_000 - kept * 3} bytes cut]")


REASONS: list[tuple[StopReason, Times, object]] = [
    ("cancel", RAN, Stopped(7, 1_000, 1_500)),
    ("cancel", NOT_CALLED, Stopped(7, None, 1_500)),
    ("timeout", RAN, TimedOut(7, 1_000, 1_500)),
    ("shutdown", RAN, Interrupted(7, 1_000, 1_500)),
    ("shutdown", NOT_CALLED, Returned(7)),
    ("lost", RAN, None),
]


@pytest.mark.parametrize(("reason", "times", "report"), REASONS)
def test_the_report_of_an_end_that_the_worker_made(reason: StopReason, times: Times, report: object) -> None:
    assert report_of(Ended(reason), 7, times) == report


def test_the_reports_of_other_ends() -> None:
    assert report_of(NeverCalled(), 7, NOT_CALLED) == Returned(7)
    assert report_of(Failure("X", "m", retry=False), 7, RAN) == Failed(7, 1_000, 1_500, "X", "m", retry=False)
    report = report_of(Success(msgspec.Raw(b"1")), 7, RAN)
    assert isinstance(report, Succeeded)
    assert (report.position, report.started_at, report.ended_at, bytes(report.result)) == (7, 1_000, 1_500, b"1")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("字 é ✓", "字 é ✓"),
        ("a\tb", "a\tb"),
        ("a\x00b\x07c\x7f", "abc"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("one\r\ntwo", "one\n    two"),
        ("2026-01-01 ok\n2026-01-01 ERROR forged", "2026-01-01 ok\n    2026-01-01 ERROR forged"),
        ("carriage\rreturn", "carriagereturn"),
        ("para\u2029graph\u202e", "paragraph"),
        ("lone \ud83d surrogate", "lone \ufffd surrogate"),
    ],
)
def test_control_characters_leave_no_trace(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
    assert clean(text).encode()


def test_cut_never_splits_a_character_and_keeps_what_fits() -> None:
    assert cut("abc", 3) == "abc"
    assert cut("字" * 100, 300) == "字" * 100
    short = cut("字" * 101, 300)
    assert len(short.encode()) <= 300
    assert short.startswith("字")
