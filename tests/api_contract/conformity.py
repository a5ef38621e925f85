"""Answers held against the OpenAPI document: status, media type, headers, body."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import jsonschema_rs

ROOT = "urn:openapi"


@dataclass(frozen=True, repr=False)
class Conformity:
    """Judges answers by one document."""

    document: Mapping[str, Any]
    validators: dict[str, jsonschema_rs.Draft202012Validator] = field(default_factory=dict)

    def operation(self, method: str, path: str) -> Mapping[str, Any]:
        """What the document says of a request; the path is the real one."""
        for template, methods in sorted(self.document["paths"].items(), key=lambda item: item[0].count("{")):
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
            if re.fullmatch(pattern, path) and method.lower() in methods:
                found: Mapping[str, Any] = methods[method.lower()]
                return found
        raise LookupError(f"{method} {path} is in no path of the document")

    def faults(self, method: str, path: str, answer: httpx.Response) -> list[str]:
        """What is not as the document says; nothing when all is."""
        response = self.operation(method, path)["responses"].get(str(answer.status_code))
        if response is None:
            return [f"the status {answer.status_code} is not documented"]
        faults = [
            f"the header {name} is missing"
            for name, header in response["headers"].items()
            if self._resolve(header)["required"] and name.lower() not in answer.headers
        ]
        for name, header in response["headers"].items():
            sent = answer.headers.get(name)
            if sent is not None:
                faults += [
                    f"{name}: {one}" for one in self._wrong(_typed(sent, self._resolve(header)["schema"]), header)
                ]
        return [*faults, *self._body_faults(response.get("content", {}), answer)]

    def _body_faults(self, content: Mapping[str, Any], answer: httpx.Response) -> list[str]:
        if not content:
            return ["a body where none is documented"] if answer.content else []
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        if media_type not in content:
            return [f"the media type {media_type!r} is not documented"]
        if not media_type.endswith("json"):
            return []
        return self.body_faults(content[media_type]["schema"], answer.json())

    def body_faults(self, schema: Mapping[str, Any], body: object) -> list[str]:
        """Where a value differs from a schema of the document."""
        validator = self._validator(json.dumps(schema))
        return [f"{'/'.join(map(str, one.instance_path))}: {one.message}" for one in validator.iter_errors(body)]

    def _validator(self, schema: str) -> jsonschema_rs.Draft202012Validator:
        """Made once for each schema: that takes longer than its use."""
        if schema not in self.validators:
            whole = {"$id": ROOT, "components": self.document["components"], **json.loads(schema)}
            self.validators[schema] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return self.validators[schema]

    def _wrong(self, value: object, header: Mapping[str, Any]) -> list[str]:
        return self.body_faults(self._resolve(header)["schema"], value)

    def _resolve(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in node:
            name = str(node["$ref"]).removeprefix("#/")
            found: Any = self.document
            for part in name.split("/"):
                found = found[part]
            node = found
        return node


def _typed(text: str, schema: Mapping[str, Any]) -> object:
    return int(text) if schema.get("type") == "integer" and text.isdigit() else text
