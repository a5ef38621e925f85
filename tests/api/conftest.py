"""An api with its leader, running in the test's event loop."""

from collections.abc import AsyncIterator

import pytest
from tests.api.scene import Scene, new_scene, running


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """An api that serves; its leader decides and projects at once."""
    async with running(new_scene()) as one:
        yield one
