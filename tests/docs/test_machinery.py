"""The tests of the documentation would notice: each of their parts, on pages made for it."""

from pathlib import Path

import pytest
from tests.docs import pages
from tests.docs.looks import alike
from tests.docs.pages import Block
from tests.docs.shell import reader_env, run_page, script_of


def page_of(text: str) -> list[Block]:
    return list(pages._blocks("page.md", text.splitlines()))


def run(tmp_path: Path, text: str) -> tuple[int, str]:
    script, commands = script_of(page_of(text), tmp_path)
    outcome = run_page(script, tmp_path, reader_env(tmp_path))
    return outcome.status, outcome.last + "".join(
        "" if alike(command.expected, command.printed.read_text()) else f" {command.where} differs"
        for command in commands
    )


def test_blocks_know_their_line_and_kind_also_in_a_list() -> None:
    text = "one\n\n```sh\necho a\n```\n\n- two\n\n  ```json definition\n  {}\n  ```\n"

    assert [(block.line, block.kind, block.text) for block in page_of(text)] == [
        (3, "sh", "echo a"),
        (9, "json definition", "{}"),
    ]


def test_a_block_that_is_never_closed_is_refused() -> None:
    with pytest.raises(AssertionError, match=r"page\.md:1"):
        page_of("```sh\necho a\n")


def test_blocks_share_a_shell_in_order(tmp_path: Path) -> None:
    assert run(tmp_path, "```sh\nNAME=x\n```\n```sh\ntest $NAME = x\n```\n") == (0, "page.md:4")


def test_the_block_that_fails_is_named(tmp_path: Path) -> None:
    assert run(tmp_path, "```sh\ntrue\n```\n```sh\nfalse | cat\n```\n```sh\ntrue\n```\n") == (1, "page.md:4")


def test_a_file_of_python_is_there_for_what_follows(tmp_path: Path) -> None:
    text = "```python\n# pack/age.py\nX = 1\n```\n```sh\npython3 -c 'import pack.age as p; assert p.X == 1'\n```\n"

    assert run(tmp_path, text) == (0, "page.md:5")


def test_what_runs_in_the_background_ends_with_the_page(tmp_path: Path) -> None:
    assert run(tmp_path, "```sh background\necho takes work\nsleep 1000\n```\n```sh\ntrue\n```\n") == (0, "page.md:5")


def test_what_ends_in_the_background_before_it_took_work_fails_the_page(tmp_path: Path) -> None:
    assert run(tmp_path, "```sh background\necho no such module\nexit 2\n```\n```sh\ntrue\n```\n") == (1, "page.md:1")


def test_output_that_is_not_as_shown_is_noticed(tmp_path: Path) -> None:
    assert run(tmp_path, "```console\n$ echo a 5 b\na 6 b\n$ echo c\nd\n```\n") == (0, "page.md:1 page.md:4 differs")


@pytest.mark.parametrize(
    ("expected", "printed"),
    [
        ("started 2026-11-23T02:00:00.000Z", "started 2026-12-24T03:01:02.345Z"),
        ("id 01930000-0000-7000-8000-000000000000", "id 0193ffff-1111-7222-8333-444444444444"),
        ("first\n…\nlast", "first\nsecond\nthird\nlast"),
        ("first\n…\nlast", "first\nlast"),
        ("a … c", "a whole lot c"),
        ("a   b", "a b"),
        ("took 12 ms", "took 3.5 ms"),
    ],
)
def test_what_differs_from_run_to_run_is_alike(expected: str, printed: str) -> None:
    assert alike(expected, printed)


@pytest.mark.parametrize(
    ("expected", "printed"), [("SUCCESS", "FAILED"), ("a", "a\nb"), ("a … c", "a b"), ("first\n…", "second")]
)
def test_what_must_not_differ_is_not_alike(expected: str, printed: str) -> None:
    assert not alike(expected, printed)
