"""Sizes of pages follow the sizes of entries."""

from hypothesis import given
from hypothesis import strategies as st

from taskservice.streams.paging import FIRST_PAGE, LARGE_PAGE_BYTES, Paging


def test_pages_of_small_entries_grow_to_the_largest() -> None:
    paging = Paging(500)
    asked = []
    for _ in range(7):
        asked.append(paging.count)
        paging.read(paging.count, 300 * paging.count)
    assert asked == [16, 32, 64, 128, 256, 500, 500]


def test_a_page_that_is_not_full_says_nothing_of_the_next() -> None:
    paging = Paging(500)
    paging.read(5, 1_000)
    assert paging.count == FIRST_PAGE


def test_large_entries_are_read_in_pages_of_few() -> None:
    paging = Paging(500)
    asked = []
    for _ in range(6):
        asked.append(paging.count)
        paging.read(paging.count, 1_000_000 * paging.count)
    assert asked == [16, 8, 4, 2, 2, 2]
    one_of_three = Paging(500)
    for _ in range(6):
        one_of_three.read(one_of_three.count, 3_000_000 * one_of_three.count)
    assert one_of_three.count == 1


def test_a_stream_of_which_a_page_may_have_one_entry_is_read_so() -> None:
    paging = Paging(1)
    paging.read(1, 10)
    assert paging.count == 1


@given(st.lists(st.integers(1, 1_048_576), min_size=1, max_size=100), st.integers(1, 500))
def test_entries_of_one_size_settle_below_twice_the_large_page(sizes: list[int], largest: int) -> None:
    """Whatever came before: after as many pages as it takes to halve 500 to 1, a page is small or a single entry."""
    paging = Paging(largest)
    for size in sizes:
        paging.read(paging.count, size * paging.count)
    last = sizes[-1]
    for _ in range(10):
        paging.read(paging.count, last * paging.count)
    assert 1 <= paging.count <= largest
    assert paging.count == 1 or paging.count * last <= LARGE_PAGE_BYTES
