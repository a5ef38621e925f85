"""A migrated database of the test's own, and batches that go into it."""

from collections.abc import AsyncIterator

import pytest

from taskservice.storage.database import Database, Limits, open_database
from taskservice.storage.migrate import migrate


@pytest.fixture
async def database(mysql_url: str) -> AsyncIterator[Database]:
    await migrate(mysql_url)
    pool = open_database(mysql_url, limits=Limits(statement_s=10, idle_s=10))
    yield pool
    await pool.close()
