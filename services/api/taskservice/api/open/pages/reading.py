"""The OpenAPI document as a reader wants it: operations by tag, schemas as tables of members, a command line each."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_SCHEMAS = "#/components/schemas/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One row of a table. `type_name` names a schema of the document, when the type is one."""

    name: str
    type_words: str
    type_name: str | None
    limits: str
    required: bool
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A body that works."""

    summary: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One status."""

    status: str
    description: str
    media_types: tuple[str, ...]
    type_words: str
    type_name: str | None
    headers: tuple[str, ...]
    codes: tuple[str, ...]
    examples: list[Example]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One operation."""

    id: str
    method: str
    path: str
    role: str
    summary: str
    description: str
    parameters: list[tuple[str, Member]]
    body_name: str | None
    body_description: str
    body_media_types: tuple[str, ...]
    examples: list[Example]
    answers: list[Answer]
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The operations of a tag."""

    name: str
    description: str
    operations: list[Shown] = field(default_factory=list)


def groups(document: Mapping[str, Any]) -> list[Group]:
    """Every operation, by tag."""
    found = {tag["name"]: Group(name=tag["name"], description=tag["description"]) for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            found[operation["tags"][0]].operations.append(_shown(path, method.upper(), operation))
    return list(found.values())


def schemas(document: Mapping[str, Any]) -> list[tuple[str, str, list[Member]]]:
    """Name, description and members of every schema."""
    return [
        (name, schema.get("description", ""), list(members(schema)))
        for name, schema in document["components"]["schemas"].items()
    ]


def members(schema: Mapping[str, Any]) -> Iterator[Member]:
    """The members of an object that may be sent, or are answered."""
    required = schema.get("required", [])
    for name, one in schema.get("properties", {}).items():
        if not one.get("readOnly"):
            yield _member(name, one, required=name in required)


def type_of(schema: Mapping[str, Any]) -> tuple[str, str | None]:
    """The type in words, and the schema of the document that it names."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_SCHEMAS)
        return name, name
    if "allOf" in schema:
        return type_of(schema["allOf"][0])
    if "anyOf" in schema:
        options = [type_of(one) for one in schema["anyOf"]]
        return " or ".join(dict.fromkeys(words for words, _ in options)), next(
            (name for _, name in options if name), None
        )
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(type_of({**schema, "type": one})[0] for one in kind), None
    if kind == "array":
        words, name = type_of(schema.get("items", {}))
        return f"array of {words}", name
    if kind == "string" and schema.get("format") == "date-time":
        return "time", None
    return str(kind or ("constant" if "const" in schema else "any JSON")), None


def limits_of(schema: Mapping[str, Any]) -> str:
    """What else holds, in words."""
    found = []
    if "anyOf" in schema:
        found = [limits_of(one) for one in schema["anyOf"]]
    if "const" in schema:
        found.append(f"`{schema['const']}`")
    if "enum" in schema:
        found.append(", ".join(f"`{word}`" for word in schema["enum"] if word is not None))
    found.append(_span(schema, "minimum", "maximum", ""))
    found.append(_span(schema, "minLength", "maxLength", " characters"))
    found.append(_span(schema, "minItems", "maxItems", " items"))
    found.append(_span(schema, "minProperties", "maxProperties", " entries"))
    if "items" in schema:
        found.append(limits_of(schema["items"]))
    if schema.get("default"):  # that nothing is the default, a reader expects
        found.append(f"default `{json.dumps(schema['default'])}`")
    words = "; ".join(dict.fromkeys(one for one in found if one))
    return words[:1].upper() + words[1:]


def _span(schema: Mapping[str, Any], low: str, high: str, unit: str) -> str:
    least, most = schema.get(low), schema.get(high)
    if most is None:
        return f"from {least:,}{unit}" if least else ""
    return f"{least:,} to {most:,}{unit}" if least is not None else f"at most {most:,}{unit}"


def _member(name: str, schema: Mapping[str, Any], *, required: bool, meaning: str | None = None) -> Member:
    words, type_name = type_of(schema)
    return Member(
        name=name,
        type_words=words,
        type_name=type_name,
        limits=limits_of(schema),
        required=required,
        meaning=schema.get("description", "") if meaning is None else meaning,
    )


def _shown(path: str, method: str, operation: Mapping[str, Any]) -> Shown:
    body = operation.get("requestBody", {})
    content: Mapping[str, Any] = body.get("content", {})
    first: Mapping[str, Any] = next(iter(content.values()), {})
    return Shown(
        id=operation["operationId"],
        method=method,
        path=path,
        role=operation["x-required-role"],
        summary=operation["summary"],
        description=operation["description"],
        parameters=[
            (one["in"], _member(one["name"], one["schema"], required=one["required"], meaning=one["description"]))
            for one in operation["parameters"]
        ],
        body_name=type_of(first["schema"])[1] if first else None,
        body_description=body.get("description", ""),
        body_media_types=tuple(content),
        examples=_examples(first),
        answers=[_answer(status, one) for status, one in operation["responses"].items()],
        command=_command(path, method, operation["x-required-role"], first),
    )


def _examples(content: Mapping[str, Any]) -> list[Example]:
    return [
        Example(summary=one["summary"], text=json.dumps(one["value"], ensure_ascii=False, indent=2))
        for one in content.get("examples", {}).values()
    ]


def _answer(status: str, response: Mapping[str, Any]) -> Answer:
    content: Mapping[str, Any] = response.get("content", {})
    first: Mapping[str, Any] = next(iter(content.values()), {})
    words, name = type_of(first["schema"]) if first else ("", None)
    is_problem = name == "Problem"
    return Answer(
        status=status,
        description=response["description"],
        media_types=tuple(content),
        type_words=words,
        type_name=name,
        headers=tuple(response["headers"]),
        codes=tuple(first.get("examples", {})) if is_problem else (),
        examples=[] if is_problem else _examples(first),
    )


def _command(path: str, method: str, role: str, body: Mapping[str, Any]) -> str:
    """A command line that asks for it."""
    parts = ["curl"]
    if method != "GET":
        parts.append(f"-X {method}")
    if role != "OPEN":
        parts.append('-H "Authorization: Bearer $TASKSERVICE_API_KEY"')
    example = next(iter(body.get("examples", {}).values()), None)
    if example is not None and example["value"]:
        text = json.dumps(example["value"], ensure_ascii=False).replace("'", r"'\''")
        parts.append(f"-H 'Content-Type: application/json' \\\n  -d '{text}' \\\n ")
    parts.append(f'"$TASKSERVICE_API_URL{path}"'.replace("{", "${"))
    return " ".join(parts)
