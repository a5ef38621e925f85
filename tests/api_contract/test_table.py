"""The document is whole: every route, every parameter, every member, every code; and nothing that is not there."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest
from litestar import Litestar
from tests.api.scene import PREFIX, Scene

from taskservice.api.app import OPEN_ROUTES, TENANT_ROUTES
from taskservice.api.auth import Access
from taskservice.api.open.contract.answer_examples import EVENT
from taskservice.api.open.contract.document import OPERATIONS
from taskservice.api.open.contract.headers import HEADERS
from taskservice.api.open.contract.problems import EXAMPLES
from taskservice.api.wire.problems import PROBLEMS
from taskservice.domain.public_events import TYPE_PREFIX, event_schemas

ID = "01a2090d-8c49-7234-bfb3-1d02b7648ea9"
IN_PATHS = {"code": "internal", "name": "definition", "event_type": "InstanceScheduled", "schema_version": "1"}
BY_EVERY_ROUTE = {"method-not-allowed"}
"""Codes of no operation: they are answered where there is none."""


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_route_has_an_entry_and_every_entry_a_route() -> None:
    routes = [str(handler.operation_id) for handler in (*TENANT_ROUTES, *OPEN_ROUTES)]

    assert sorted(routes) == sorted(OPERATIONS)


async def test_the_document_has_the_methods_and_paths_of_the_app_and_their_roles(
    scene: Scene, document: dict[str, Any]
) -> None:
    app = scene.app
    assert isinstance(app, Litestar)
    served = {
        (str(method), route.path_format, handler.opt["access"])
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        for method in getattr(handler, "http_methods", ())
        if method != "OPTIONS"
    }

    described = {(method, path, Access[one["x-required-role"]]) for method, path, one in operations(document)}

    assert described == served
    for _, _, one in operations(document):
        assert one["security"] == ([] if one["x-required-role"] == "OPEN" else [{"key": []}])


async def test_the_described_parameters_are_those_that_the_route_knows(scene: Scene, document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        real = re.sub(r"\{(\w+)\}", lambda match: IN_PATHS.get(match[1], ID), path)

        answer = await scene.call(method, real, caller="platform", params={"nobody-knows": "1"})

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter"), operation["operationId"]
        (fault,) = answer.json()["errors"]
        known = fault["detail"].partition("known: ")[2].rstrip(".")
        described = [one["name"] for one in operation["parameters"] if one["in"] == "query"]
        assert sorted(described) == ([] if known == "none" else known.split(", ")), operation["operationId"]


async def test_the_described_bounds_of_a_parameter_are_those_that_hold(scene: Scene, document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        real = re.sub(r"\{(\w+)\}", lambda match: IN_PATHS.get(match[1], ID), path)
        for parameter in operation["parameters"]:
            for value in beyond(parameter):
                params = {parameter["name"]: value}
                answer = await scene.call(method, real, caller="platform", params=params)

                told = {one["parameter"] for one in answer.json().get("errors", ())}
                assert (answer.status_code, told) == (400, {parameter["name"]}), (operation["operationId"], params)


def beyond(parameter: dict[str, Any]) -> list[str]:
    """Values of a query parameter just outside of what the document allows."""
    if parameter["in"] != "query":
        return []
    schema = parameter["schema"].get("items", parameter["schema"])
    found = []
    if "enum" in schema:
        found.append(schema["enum"][0] + "x")
    if "maximum" in schema:
        found += [str(schema["maximum"] + 1), str(schema["minimum"] - 1), "1.5"]
    if "maxLength" in schema:
        found.append("x" * (schema["maxLength"] + 1))
    if schema.get("pattern") == "^[ -~]+$":
        found += ["队列", "a\x1fb", "a\x9e"]
    if schema.get("format") == "date-time":
        found += ["2026-11-23T02:00:00", "1969-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999-00:01"]
    if schema["type"] == "boolean":
        found.append("yes")
    return found


def test_every_member_parameter_and_header_says_what_it_means(document: dict[str, Any]) -> None:
    silent = [
        f"{name}.{member}"
        for name, schema in document["components"]["schemas"].items()
        for member, one in schema.get("properties", {}).items()
        if not one.get("description")
    ]
    silent += [
        f"{operation['operationId']} {one['name']}"
        for _, _, operation in operations(document)
        for one in operation["parameters"]
        if not one["description"]
    ]

    assert silent == []
    assert {name for name, (words, _) in HEADERS.items() if not words} == set()


def test_every_operation_has_a_summary_a_description_and_a_body_with_examples(document: dict[str, Any]) -> None:
    for _, _, operation in operations(document):
        assert operation["summary"]
        assert operation["description"].endswith((".", "`"))
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert content["examples"]


def test_every_problem_code_has_an_example_and_stands_somewhere(document: dict[str, Any]) -> None:
    told = {
        code
        for _, _, operation in operations(document)
        for response in operation["responses"].values()
        for code in response.get("content", {}).get("application/problem+json", {}).get("examples", {})
    }

    assert set(EXAMPLES) == set(PROBLEMS)
    assert told | BY_EVERY_ROUTE == set(PROBLEMS)


def test_every_schema_is_one_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    components = document["components"]
    for name, schema in components["schemas"].items():
        jsonschema_rs.Draft202012Validator({"$id": "urn:x", "components": components, **schema}), name
        jsonschema_rs.meta.validate({"$schema": document["jsonSchemaDialect"], **schema})

    missing = [one for one in references(document) if not found(document, one)]

    assert missing == []


def references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [one for child in node.values() for one in references(child)]
    return [one for child in node for one in references(child)] if isinstance(node, list) else []


def found(document: dict[str, Any], reference: str) -> bool:
    node: Any = document
    for part in reference.removeprefix("#/").split("/"):
        node = node.get(part) if isinstance(node, dict) else None
    return node is not None


@pytest.mark.parametrize("where", ["parameters", "responses"])
async def test_examples_of_the_document_conform_to_it(document: dict[str, Any], where: str, conformity: Any) -> None:
    for _, _, operation in operations(document):
        for schema, value in examples(operation, where):
            assert conformity.body_faults(schema, value) == [], (operation["operationId"], value)


def test_every_json_answer_has_an_example(document: dict[str, Any]) -> None:
    silent = [
        (operation["operationId"], status)
        for _, _, operation in operations(document)
        for status, response in operation["responses"].items()
        for media_type, content in response.get("content", {}).items()
        if media_type.endswith("json") and "$ref" in str(content["schema"]) and not content.get("examples")
    ]

    assert silent == []


def test_the_example_of_an_event_is_one_of_its_type() -> None:
    schema = event_schemas()[EVENT["type"].removeprefix(TYPE_PREFIX)]

    assert EVENT["dataschema"] == schema["$id"]
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(EVENT["data"])


def examples(operation: dict[str, Any], where: str) -> list[tuple[dict[str, Any], object]]:
    if where == "parameters":
        return [(one["schema"], one["example"]) for one in operation["parameters"] if "example" in one]
    return [
        (content["schema"], example["value"])
        for response in operation["responses"].values()
        for content in response.get("content", {}).values()
        for example in content.get("examples", {}).values()
    ]


async def test_requests_of_the_document_are_accepted(scene: Scene, document: dict[str, Any], conformity: Any) -> None:
    for method, path, operation in operations(document):
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            for name, example in content["examples"].items():
                made = await scene.create(taskName="plain")
                ran = (await scene.call("POST", f"/definitions/{made['id']}/trigger")).json()
                if operation["operationId"] == "retryInstance":
                    await scene.call("POST", f"/instances/{ran['id']}/cancel")
                command_id = ran["commandId"]
                if operation["operationId"] == "cancelBackfill":
                    span = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z"}
                    filled = await scene.call("POST", f"/definitions/{made['id']}/backfill", json=span)
                    command_id = filled.json()["commandId"]
                real = path.format(definition_id=made["id"], instance_id=ran["id"], command_id=command_id)

                answer = await scene.call(
                    method,
                    real,
                    caller="platform",
                    content=encoded(example["value"]),
                    headers={"Content-Type": media_type},
                )

                assert answer.is_success, (operation["operationId"], name, answer.text)
                assert conformity.body_faults(content["schema"], example["value"]) == []
                await clear(scene)


def encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


async def clear(scene: Scene) -> None:
    """No definition is left, so that an example's `key` is free for the next one."""
    for one in (await scene.call("GET", "/definitions", params={"limit": 500})).json()["items"]:
        assert (await scene.call("DELETE", f"/definitions/{one['id']}")).status_code == 204


def test_no_other_host_is_named(document: dict[str, Any]) -> None:
    text = str(document)

    assert PREFIX in text
    assert re.findall(r"https?://(?!json-schema\.org/|status\.example/)", text) == []
