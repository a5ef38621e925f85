"""The command line in front of an api of this process."""

from collections.abc import AsyncIterator

import pytest
from tests.api.scene import Scene, new_scene, running
from tests.cli.served import CommandLine, served


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with running(new_scene()) as one:
        yield one


@pytest.fixture
async def cli(scene: Scene) -> AsyncIterator[CommandLine]:
    async with served(scene) as one:
        yield one
