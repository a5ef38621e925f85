"""HTTP as bytes, and what reads bulk by bulk: the small parts that everything stands on."""

import asyncio
from collections.abc import Mapping

import pytest

from taskservice.api.coalesce import Coalesced
from taskservice.api.definitions.asking import expected_version
from taskservice.api.wire.accept import accepts
from taskservice.api.wire.cursors import make_cursor, read_cursor
from taskservice.api.wire.json_text import MAX_DEPTH, parse_json
from taskservice.api.wire.problems import ProblemError
from taskservice.api.writes.idempotency import body_hash
from taskservice.testing.waiting import wait_until


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        (None, True),
        ("", True),
        ("*/*", True),
        ("application/json", True),
        ("application/*", True),
        ("application/problem+json", True),
        ("text/html, */*;q=0.1", True),
        ("text/html", False),
        ("application/json;q=0", False),
        ("application/json;q=0, application/*;q=0, */*", False),
        ("application/json;q=x", False),
    ],
)
def test_accept(header: str | None, taken: bool) -> None:
    assert accepts(header, ("application/json", "application/problem+json")) is taken


def test_a_cursor_opens_only_with_its_own_filters() -> None:
    cursor = make_cursor("k|1", "list", {"a": 1})

    assert read_cursor(cursor, "list", {"a": 1}) == "k|1"
    assert read_cursor(cursor, "list", {"a": 2}) is None
    assert read_cursor(cursor, "other", {"a": 1}) is None


@pytest.mark.parametrize("text", ["", "x", "é", "!!!!", "bnVsbA", "WyJhIl0", "WzEsMl0"])
def test_anything_else_is_no_cursor(text: str) -> None:
    assert read_cursor(text, "list") is None


def test_json_at_the_depth_that_is_allowed() -> None:
    fine = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH

    parse_json(fine)
    with pytest.raises(ProblemError, match="nested"):
        parse_json(b"[" + fine + b"]")


def test_json_keeps_text_as_it_is() -> None:
    assert parse_json('{"a": "数\\ud83d\\ude00", "b": [1, 2.5, null, true]}'.encode()) == {
        "a": "数😀",
        "b": [1, 2.5, None, True],
    }


def test_the_hash_of_a_request_tells_its_parts_apart() -> None:
    hashes = {
        body_hash("POST", "/a", b"", b"bc"),
        body_hash("POST", "/ab", b"", b"c"),
        body_hash("POST", "/a", b"b", b"c"),
        body_hash("PUT", "/a", b"", b"bc"),
    }
    assert len(hashes) == 4


@pytest.mark.parametrize(
    ("header", "current", "expected"),
    [
        (None, 3, None),
        ("*", 3, None),
        ('"3"', 3, 3),
        ('"2"', 3, 2),
        ('"2"', None, 2),
        ('"2", "3"', 3, 3),
        ('W/"1", "3"', 3, 3),
    ],
)
def test_if_match(header: str | None, current: int | None, expected: int | None) -> None:
    assert expected_version(header, current) == expected


@pytest.mark.parametrize("header", ['W/"3"', '"x"', '"1", "2"', '""'])
def test_if_match_that_can_match_nothing(header: str) -> None:
    with pytest.raises(ProblemError, match="version-mismatch"):
        expected_version(header, 3)


class Counting:
    """A loader that says what it was asked, and answers when it is let."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, ...]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def load(self, keys: tuple[int, ...]) -> Mapping[int, str]:
        self.calls.append(keys)
        await self.gate.wait()
        if -1 in keys:
            raise OSError("no")
        return {key: str(key) for key in keys if key < 100}


async def test_what_is_asked_in_one_moment_is_one_call() -> None:
    counting = Counting()
    values = Coalesced(counting.load)

    found = await asyncio.gather(*(values.get(key) for key in (1, 2, 2, 3, 100)))

    assert found == ["1", "2", "2", "3", None]
    assert counting.calls == [(1, 2, 3, 100)]


async def test_what_is_asked_while_a_call_runs_is_the_next_one_and_is_read_anew() -> None:
    counting = Counting()
    counting.gate.clear()
    values = Coalesced(counting.load, most=2)
    first = [asyncio.ensure_future(values.get(1))]
    await wait_until(lambda: counting.calls, "the call begins")
    later = [asyncio.ensure_future(values.get(key)) for key in (1, 2, 3)]
    counting.gate.set()

    assert await asyncio.gather(*first, *later) == ["1", "1", "2", "3"]
    assert counting.calls == [(1,), (1, 2), (3,)]


async def test_a_failure_belongs_to_those_who_asked_in_that_call() -> None:
    counting = Counting()
    values = Coalesced(counting.load)

    failed = await asyncio.gather(values.get(-1), values.get(1), return_exceptions=True)

    assert [type(one) for one in failed] == [OSError, OSError]
    assert await values.get(1) == "1"


async def test_a_caller_that_goes_away_takes_nothing_from_the_others() -> None:
    counting = Counting()
    counting.gate.clear()
    values = Coalesced(counting.load)
    gone, stays = asyncio.ensure_future(values.get(1)), asyncio.ensure_future(values.get(1))
    await wait_until(lambda: counting.calls, "the call begins")
    gone.cancel()
    counting.gate.set()

    assert await stays == "1"
