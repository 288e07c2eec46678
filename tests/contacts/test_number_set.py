from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.contacts.number_set import NumberSet

NUMBERS = st.integers(1, 50) | st.integers(1, 2**63 - 1)


@given(numbers=st.lists(NUMBERS, max_size=200), others=st.lists(NUMBERS), in_memory=st.sampled_from([0, 1, 10, 1_000]))
def test_it_behaves_like_a_set_in_memory_and_beyond(numbers: list[int], others: list[int], in_memory: int) -> None:
    mine, reference = NumberSet(in_memory), set[int]()
    for number in numbers:
        assert mine.add(number) is (number not in reference)
        reference.add(number)
    assert len(mine) == len(reference)
    assert all((number in mine) is (number in reference) for number in numbers + others)


def test_it_grows_with_neighbouring_numbers() -> None:
    numbers = NumberSet()
    assert all(numbers.add(12125550000 + i) for i in range(20_000))
    assert not any(numbers.add(12125550000 + i) for i in range(20_000))
    assert 12125549999 not in numbers


def test_it_shows_its_size_only() -> None:
    numbers = NumberSet()
    numbers.add(12125550100)
    assert repr(numbers) == "<NumberSet of 1>"


@pytest.mark.parametrize("count", [1_000, 200_000])
def test_a_number_takes_less_than_the_24_bytes_that_are_stated(count: int) -> None:
    numbers = NumberSet()
    for i in range(count):
        numbers.add(12125550000 + 7 * i)
    table = numbers._table
    assert len(table) * table.itemsize <= max(24 * count, 8 << 12)
