"""What can be told of the documentation without running it: blocks, links, names of tests."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.docs.not_run import NOT_RUN
from tests.docs.pages import KINDS, Block, all_blocks, blocks, pages
from tests.tidy.tree import ROOT

from taskservice.config.load import load_settings

OF_COMMANDS = "docs/reference/cli.md"
"""Made from the commands; every example on it is parsed: tests/docs/test_examples.py."""
COMMAND = re.compile(r"^\s*(?:\$ |make |taskservice |curl |docker |kubectl |pip |\.venv/)", re.MULTILINE)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
IMAGE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)|<img[^>]* src=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6} +(.*?) *$", re.MULTILINE)
TEST_NAME = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
COMMENT = re.compile(r"\s*#.*$", re.MULTILINE)


def of_kind(*kinds: str) -> list[Block]:
    return [block for block in all_blocks() if block.kind in kinds]


def test_every_block_says_what_becomes_of_it() -> None:
    assert {block.where: block.kind for block in all_blocks() if block.kind not in KINDS} == {}


def test_no_command_hides_in_a_block_that_is_only_shown() -> None:
    hidden = [
        block.where for block in of_kind("text", "promql") if COMMAND.search(block.text) and block.page != OF_COMMANDS
    ]

    assert hidden == []


def test_the_list_of_what_is_not_run_names_blocks_and_reasons() -> None:
    there = {(block.page, block.first_command) for block in of_kind("sh", "sh background", "console")}

    assert set(NOT_RUN) - there == set()
    assert [key for key, reason in NOT_RUN.items() if len(reason) < 20] == []


@pytest.mark.parametrize("block", of_kind("python", "python fragment"), ids=lambda block: block.where)
def test_python_compiles(block: Block) -> None:
    compile(block.text, block.where, "exec")


@pytest.mark.parametrize("block", of_kind("python"), ids=lambda block: block.where)
def test_python_uses_only_names_that_exist(block: Block) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F", "--quiet", "--no-cache", "-"]
    found = subprocess.run(command, input=block.text, text=True, capture_output=True, check=False)

    assert found.returncode == 0, found.stdout


def test_python_is_well_typed(tmp_path: Path) -> None:
    for number, block in enumerate(of_kind("python")):
        (tmp_path / f"block_{number}.py").write_text(f"# {block.where}\n{block.text}\n", encoding="utf-8")
    config = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache" / "docs")]
    found = subprocess.run(
        [sys.executable, "-m", "mypy", *config, "--no-error-summary", str(tmp_path)],
        cwd=ROOT, text=True, capture_output=True, check=False,
    )  # fmt: skip

    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("block", of_kind("json", "json definition"), ids=lambda block: block.where)
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", of_kind("yaml", "yaml settings"), ids=lambda block: block.where)
def test_yaml_is_yaml(block: Block) -> None:
    assert yaml.safe_load(block.text) is not None


@pytest.mark.parametrize("block", of_kind("yaml settings"), ids=lambda block: block.where)
def test_settings_are_taken(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(block.text, encoding="utf-8")

    load_settings({}, {}, tmp_path, file)


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page: str) -> None:
    text = prose_of(page)
    targets = [*LINK.findall(text), *(first or second for first, second in IMAGE.findall(text))]

    assert [target for target in targets if not leads_somewhere(page, target)] == []


def leads_somewhere(page: str, target: str) -> bool:
    """Whether a link within the repository names a file, and a heading of it if it names one."""
    if target.startswith(("http://", "https://")):
        return True
    name, _, heading = target.partition("#")
    path = (ROOT / page).parent / name if name else ROOT / page
    if not path.exists():
        return False
    return not heading or heading in anchors(path)


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = HEADING.findall(path.read_text(encoding="utf-8"))
    plain = [re.sub(r"[`*]|\[|\]\([^)]*\)", "", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def prose_of(page: str) -> str:
    """The page without its fenced blocks."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in blocks(page):
        text = text.replace(block.text, "")
    return text


@pytest.mark.parametrize("page", [page for page in pages() if TEST_NAME.search((ROOT / page).read_text("utf-8"))])
def test_the_tests_that_a_page_names_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    missing = []
    for file, name in TEST_NAME.findall(text):
        path = ROOT / file
        if not path.exists() or (name and f"def {name}(" not in path.read_text(encoding="utf-8")):
            missing.append(f"{file}::{name}")

    assert missing == []


def test_both_readmes_hold_the_same_commands() -> None:
    english, chinese = (
        [(block.kind, COMMENT.sub("", block.text)) for block in blocks(page) if block.kind != "text"]
        for page in ("README.md", "README.zh-CN.md")
    )

    assert english == chinese


def test_every_page_is_reached_from_the_index() -> None:
    linked = set()
    for page in ("README.md", "docs/README.md"):
        for target in LINK.findall(prose_of(page)):
            path = (ROOT / page).parent / target.partition("#")[0]
            linked.add(str(path.resolve().relative_to(ROOT)) if path.exists() else target)
    decisions = {page for page in pages() if page.startswith("docs/decisions/")}

    assert set(pages()) - linked - decisions - {"README.md"} == set()
