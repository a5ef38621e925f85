"""What a client sends stands in a log line as text, and never speaks to the terminal of whoever reads it."""

import io
import json
import logging

import pytest
import structlog

from taskservice.telemetry.logs import configure_logging

pytestmark = pytest.mark.usefixtures("logging_as_before")

HOSTILE = [
    "\x1b[2Jcleared",
    "\x9b31mred",
    "one\nlevel=error forged",
    "one\r\nforged",
    "\x07bell",
    "\x7fdel",
    "\u2028line",
    "\u2029paragraph",
    "\u202eturned",
    "\u2066isolated",
]
ALLOWED_CONTROL = {"\n"}


class Terminal(io.StringIO):
    """A stream that says it is a terminal, or not."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def write(text: str, *, is_terminal: bool, library: bool) -> str:
    out = Terminal(is_terminal=is_terminal)
    configure_logging("probe", stream=out)
    if library:
        logging.getLogger("a.library").warning("%s", text)
    else:
        structlog.get_logger("ours").info("request", path=text)
    return out.getvalue()


@pytest.mark.parametrize("library", [False, True])
@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_one_line_of_json_that_says_it(text: str, *, library: bool) -> None:
    written = write(text, is_terminal=False, library=library)

    assert raw_controls(written) == ""
    assert written.count("\n") == 1
    assert json.loads(written)["event" if library else "path"] == text


@pytest.mark.parametrize("library", [False, True])
@pytest.mark.parametrize("text", HOSTILE)
def test_on_a_terminal_it_is_spelled_out_on_one_line(text: str, *, library: bool) -> None:
    harmless = len(raw_controls(write("harmless", is_terminal=True, library=library)))  # the colours of our own

    written = write(text, is_terminal=True, library=library)

    assert len(raw_controls(written)) == harmless
    assert written.count("\n") == 1
    assert not set(text) & set("\x07\x7f\x9b\u2028\u2029\u202e\u2066") & set(written)


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_traceback_keeps_its_lines_and_loses_what_is_hostile(*, is_terminal: bool) -> None:
    out = Terminal(is_terminal=is_terminal)
    configure_logging("probe", stream=out)
    try:
        fail("\x9b2Jfrom a request")
    except ValueError:
        structlog.get_logger("ours").exception("failed")

    assert "\x9b2J" not in out.getvalue()
    assert "Traceback" in out.getvalue()
    assert (out.getvalue().count("\n") > 2) is is_terminal


@pytest.mark.parametrize("is_terminal", [False, True])
@pytest.mark.parametrize("library", [False, True])
def test_an_api_key_is_masked_wherever_it_stands(*, is_terminal: bool, library: bool) -> None:
    key = "tsk_" + "aB3-_" * 8

    written = write(f"/api/v1/tasks/definitions/{key}?apikey={key}", is_terminal=is_terminal, library=library)

    assert key not in written
    assert written.count("tsk_***") == 2
    assert "/api/v1/tasks/definitions/" in written


def fail(words: str) -> None:
    raise ValueError(words)


def raw_controls(text: str) -> str:
    """Characters that a terminal would act on, without the line breaks."""
    return "".join(one for one in text if not one.isprintable() and one not in ALLOWED_CONTROL)
