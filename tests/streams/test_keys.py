"""Keys: one slot for each partition, every one in the table, and no two things under one name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskservice.streams.keys import KEY_TABLE, Keys, partition_of, row_of

NAMES = st.text(st.characters(codec="utf-8", exclude_characters=":"), min_size=1, max_size=20)


def all_keys(keys: Keys) -> list[str]:
    fixed = [
        keys.inbox,
        keys.events,
        keys.streams,
        keys.control,
        keys.logs,
        keys.workers,
        keys.status,
        keys.decided,
        keys.lock,
        keys.projector_lock,
    ]
    return [
        *fixed,
        keys.aside("3-41"),
        keys.dispatch("default:-:report:daily:v2"),
        keys.dispatch("gpu:0a1b2c3d4e5f:http"),
        keys.idempotency("tenant-1", "k"),
        keys.command("tenant-1", "k"),
    ]


@pytest.mark.parametrize("partition", [0, 7, 12])
def test_every_key_is_in_one_row_of_the_table_and_carries_its_tag(partition: int) -> None:
    keys = all_keys(Keys(partition))

    for key in keys:
        assert [row for row in KEY_TABLE if row.matches(key)] == [row_of(key)], key
        assert key.count(f"{{p{partition}}}") == 1
    assert len(set(keys)) == len(keys)
    assert {row_of(key) for key in keys} == set(KEY_TABLE)


@pytest.mark.parametrize("key", ["task:{p0}:other", "task:p0:inbox", "task:lock:{p0}:x", "task:{p0}:dispatch:q:zz:h"])
def test_a_foreign_key_is_in_no_row(key: str) -> None:
    assert row_of(key) is None


def test_the_locks_prefix_is_a_setting_and_nothing_elses() -> None:
    keys = Keys(3, lock_prefix="mine:")

    assert (keys.lock, keys.projector_lock) == ("mine:{p3}", "mine:{p3}:projector")
    assert keys.events == "task:{p3}:events"


@given(queue=NAMES, handler=st.text(min_size=1, max_size=30))
def test_a_dispatch_key_gives_its_suffix_back(queue: str, handler: str) -> None:
    keys = Keys(0)
    suffix = f"{queue}:-:{handler}"

    assert keys.suffix_of(keys.dispatch(suffix)) == suffix
    assert row_of(keys.dispatch(suffix)) is not None


@given(tenant=NAMES, text=st.text(max_size=50))
def test_a_clients_key_is_never_a_commands_id(tenant: str, text: str) -> None:
    keys = Keys(0)

    assert keys.idempotency(tenant, text) != keys.command(tenant, text)


def test_a_tenant_lives_in_one_partition_for_ever() -> None:
    """CRC-32 of the tenant's id: these are its values, not the code's."""
    assert [partition_of("123456789", count) for count in (1, 16, 1000)] == [0, 0xCBF43926 % 16, 0xCBF43926 % 1000]
