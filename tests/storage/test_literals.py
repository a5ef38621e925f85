import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskservice.storage import literals
from taskservice.storage.database import Database


@given(st.integers(literals.MIN_INSTANT, literals.MAX_INSTANT))
def test_an_instant_survives_its_spelling(ms: int) -> None:
    spelled = literals.instant(ms)

    assert len(spelled) == len("'2026-11-23 02:00:00.000'")
    assert literals.ms_of(spelled.strip("'")) == ms


def test_an_instant_has_three_decimals_in_utc() -> None:
    assert literals.instant(1_795_399_200_007) == "'2026-11-23 02:00:00.007'"
    assert literals.instant(-1) == "'1969-12-31 23:59:59.999'"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=st.characters(codec="utf-8")))
async def test_any_text_comes_back_as_it_was(database: Database, value: str) -> None:
    rows = await database.fetch(f"SELECT {literals.text(value)}, {literals.blob(value.encode())}")

    assert rows[0][0] == value
    assert (rows[0][1] if isinstance(rows[0][1], bytes) else rows[0][1].encode()) == value.encode()


def test_an_empty_list_can_not_be_spelled() -> None:
    with pytest.raises(ValueError, match="empty"):
        literals.literal([])
