"""Scripts are sent with the text of the parts that they name, and what does not fit is refused before anything starts."""

import pytest

from taskservice.streams.scripts import LOADED, ScriptMismatch, load, parse_header, with_parts

SCRIPT = """#!lua flags=allow-oom
-- double: twice a number.
-- KEYS: {keys}
-- ARGV: number
-- ANSWERS: OK number
{parts}return {{'OK', 2 * ARGV[1]}}
"""


def script(parts: str = "") -> str:
    return SCRIPT.format(keys="", parts=parts)


def test_a_part_stands_after_the_shebang_line_and_before_the_script() -> None:
    text = with_parts(script("-- PARTS: one two\n"), {"one": "local one = 1\n", "two": "local two = 2\n", "other": "x"})

    assert text.splitlines()[:4] == [
        "#!lua flags=allow-oom",
        "local one = 1",
        "local two = 2",
        "-- double: twice a number.",
    ]
    assert "x" not in text.splitlines()


def test_a_script_that_names_no_part_is_sent_as_it_is() -> None:
    assert with_parts(script(), {"one": "local one = 1"}) == script()


def test_a_part_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(ScriptMismatch, match=r"no parts \['three'\]; there are \['one'\]"):
        with_parts(script("-- PARTS: one three\n"), {"one": ""})


def test_a_header_without_one_of_its_lines_is_refused() -> None:
    with pytest.raises(ScriptMismatch, match="KEYS, ARGV and ANSWERS"):
        parse_header(script().replace("-- ANSWERS: OK number\n", ""))


def test_a_wrapper_that_says_otherwise_is_refused() -> None:
    kept = LOADED["renew"]
    with pytest.raises(ScriptMismatch, match="its wrapper renew"):
        load("renew", keys=("lock",), argv=("token",))
    assert LOADED["renew"] is kept
