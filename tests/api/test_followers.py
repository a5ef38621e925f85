"""Streams that are held open are bounded, of each tenant and of all together."""

import pytest

from taskservice.api.followers import Followers
from taskservice.api.wire.problems import ProblemError


def test_a_tenant_and_all_tenants_have_so_many_places_and_places_come_back() -> None:
    followers = Followers(most=2, most_in_all=3)
    held = [followers.enter("a"), followers.enter("a"), followers.enter("b")]

    for tenant, code in (("a", "limit-reached"), ("b", "overloaded"), ("c", "overloaded")):
        with pytest.raises(ProblemError) as refused:
            followers.enter(tenant)
        assert (refused.value.code, refused.value.retry_after_ms) == (code, 5_000)

    held.pop(0)
    held.append(followers.enter("c"))
    assert [followers.count(tenant) for tenant in ("a", "b", "c")] == [1, 1, 1]
