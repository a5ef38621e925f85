"""A migrated database of the test's own."""

from collections.abc import AsyncIterator

import pytest

from taskservice.storage.database import Database, open_database
from taskservice.storage.migrate import migrate


@pytest.fixture
async def database(mysql_url: str) -> AsyncIterator[Database]:
    await migrate(mysql_url)
    pool = open_database(mysql_url)
    yield pool
    await pool.close()
