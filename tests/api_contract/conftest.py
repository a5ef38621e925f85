"""An api with its leader, running in the test's event loop, and its document."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from tests.api.scene import Scene, new_scene, running
from tests.api_contract.conformity import Conformity

from taskservice.api.app import OPEN_ROUTES, TENANT_ROUTES
from taskservice.api.open.openapi import Document
from taskservice.api.parts import PREFIX


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """An api that serves; its leader decides and projects at once."""
    async with running(new_scene()) as one:
        yield one


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    """The document as clients read it."""
    made = Document(PREFIX, TENANT_ROUTES, OPEN_ROUTES, "0.0")
    content: dict[str, Any] = msgspec.json.decode(made.text)
    return content


@pytest.fixture(scope="session")
def conformity(document: dict[str, Any]) -> Conformity:
    """Judges answers by it."""
    return Conformity(document)
