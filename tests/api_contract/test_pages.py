"""Pages: served offline, to everybody, with nothing but their own style; programs get JSON under the same address."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import jsonschema_rs
import pytest
from tests.api.scene import Scene, definition

from taskservice.api.open.contract.examples import EVERY_MEMBER, FIRST_DESIGN
from taskservice.api.open.pages.rendering import phrase, prose, render
from taskservice.api.wire.accept import preferred
from taskservice.api.wire.problems import PROBLEMS
from taskservice.domain.public_events import EVENT_TYPES

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}
PAGES = ["/docs", "/problems", "/problems/validation-failed", "/schemas"]
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """What a page holds: its tags, its links, the places that links may lead to; and whether tags are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.ids: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.unclosed = list(self._open)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name in {"href", "src"} and value is not None]
        self.ids += [value for name, value in attrs if name == "id" and value is not None]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_loads_nothing_and_runs_nothing(scene: Scene, path: str) -> None:
    answer = await scene.call("GET", path, caller=None, headers=BROWSER)

    page = Page(answer.text)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert page.tags.isdisjoint({"script", "img", "iframe", "form", "link", "object", "base"})
    assert not [name for name in page.attributes if name.startswith("on") or name == "style"]
    assert page.unclosed == []
    assert len(page.ids) == len(set(page.ids))
    assert [one for one in page.links if not one.startswith(("/", "#"))] == []


@pytest.mark.parametrize("path", PAGES)
async def test_the_policy_allows_the_style_of_the_page_alone(scene: Scene, path: str) -> None:
    answer = await scene.call("GET", path, caller=None, headers=BROWSER)

    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["style-src"] == f"'sha256-{digest}'"
    assert {policy[name] for name in ("base-uri", "form-action", "frame-ancestors")} == {"'none'"}


async def test_every_link_of_every_page_leads_somewhere(scene: Scene) -> None:
    pages = {path: Page((await scene.call("GET", path, caller=None, headers=BROWSER)).text) for path in PAGES}

    for path, page in pages.items():
        for link in sorted(set(page.links)):
            target, _, place = link.partition("#")
            if target and target not in pages:
                assert (await scene.call("GET", target, caller=None, headers=BROWSER)).status_code == 200, link
            if place and place != "content":
                assert place in (pages[target] if target else page).ids, (path, link)


async def test_the_page_of_the_document_shows_every_operation_and_schema(scene: Scene) -> None:
    document = (await scene.call("GET", "/openapi.json", caller=None)).json()
    page = Page((await scene.call("GET", "/docs", caller=None, headers=BROWSER)).text)

    operations = {one["operationId"] for methods in document["paths"].values() for one in methods.values()}
    assert operations | {f"schema-{name}" for name in document["components"]["schemas"]} <= set(page.ids)


@pytest.mark.parametrize("code", sorted(PROBLEMS))
async def test_a_problem_has_a_page_and_the_same_as_json(scene: Scene, code: str) -> None:
    shown = await scene.call("GET", f"/problems/{code}", caller=None)
    page = await scene.call("GET", f"/problems/{code}", caller=None, headers=BROWSER)

    kind = PROBLEMS[code]
    said = shown.json()
    assert (said["code"], said["status"], said["title"]) == (code, kind.status, kind.title)
    assert said["advice"]
    assert said["advice"] != said["meaning"]
    assert (said["example"]["code"], said["example"]["type"]) == (code, f"/problems/{code}")
    assert shown.headers["vary"] == page.headers["vary"] == "Accept"
    assert f"<h1>{kind.title}</h1>" in page.text
    assert str(phrase(kind.advice.split("`")[0])) in page.text


async def test_a_problem_that_was_answered_leads_to_its_page(scene: Scene) -> None:
    problem = (await scene.call("POST", "/definitions", json=definition(priority=12))).json()

    assert (await scene.call("GET", problem["type"], caller=None)).json()["code"] == "validation-failed"


async def test_schemas_stand_alone(scene: Scene) -> None:
    entries = (await scene.call("GET", "/schemas", caller=None)).json()["items"]

    for entry in entries:
        answer = await scene.call("GET", entry["url"], caller=None)
        assert answer.headers["content-type"] == "application/schema+json"
        schema = answer.json()
        assert schema["$id"] == entry["url"]
        jsonschema_rs.meta.validate(schema)
        jsonschema_rs.Draft202012Validator(schema)
    events = {entry["name"] for entry in entries if entry["url"].startswith("/schemas/events/")}
    assert events == set(EVENT_TYPES)


async def test_the_schema_of_a_definition_takes_what_is_taken(scene: Scene) -> None:
    schema = (await scene.call("GET", "/schemas/definition", caller=None)).json()
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)

    assert validator.is_valid(FIRST_DESIGN)
    assert validator.is_valid(EVERY_MEMBER)
    assert not validator.is_valid({**FIRST_DESIGN, "taskname": "x"})
    assert not validator.is_valid({**FIRST_DESIGN, "cronExpression": None})


async def test_the_schema_of_a_problem_takes_a_problem(scene: Scene) -> None:
    schema = (await scene.call("GET", "/schemas/problem", caller=None)).json()
    problem = (await scene.call("POST", "/definitions", json={})).json()

    assert jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid(problem)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        (BROWSER["Accept"], "text/html"),
        ("text/html", "text/html"),
        ("text/*;q=0.5, application/json;q=0.4", "text/html"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("text/html;q=0, */*", "application/json"),
        ("text/html;q=nonsense, application/json;q=0.1", "application/json"),
        ("image/png", None),
        ("application/json;q=0, text/html;q=0", None),
    ],
)
def test_what_a_client_wants_most(header: str | None, wanted: str | None) -> None:
    assert preferred(header, ("application/json", "text/html")) == wanted


def test_texts_are_escaped_on_pages() -> None:
    bad = "<script>alert(1)</script> & `<b>`"

    assert str(phrase(bad)) == "&lt;script&gt;alert(1)&lt;/script&gt; &amp; <code>&lt;b&gt;</code>"
    assert "<script>" not in str(prose(bad))
    kind = {"code": "x", "title": bad, "status": 1, "meaning": bad, "advice": bad}
    page = render("problem.html", kind=kind, codes=[bad], example=bad, operations=[(bad, bad)])
    assert "<script>" not in page
