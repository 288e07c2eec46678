from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.contacts.number_set import DigestSet, NumberSet

NUMBERS = st.integers(1, 50) | st.integers(1, 2**63 - 1)


@given(numbers=st.lists(NUMBERS, max_size=200), others=st.lists(NUMBERS))
def test_it_behaves_like_a_set(numbers: list[int], others: list[int]) -> None:
    mine, reference = NumberSet(), set[int]()
    for number in numbers:
        assert mine.add(number) is (number not in reference)
        reference.add(number)
    assert len(mine) == len(reference)
    assert all((number in mine) is (number in reference) for number in numbers + others)


@given(digests=st.lists(st.binary(min_size=32, max_size=32)), others=st.lists(st.binary(min_size=32, max_size=32)))
def test_digests_are_found_again_also_between_additions(digests: list[bytes], others: list[bytes]) -> None:
    mine = DigestSet()
    for at, digest in enumerate(digests):
        mine.add(digest)
        assert all(each in mine for each in digests[: at + 1])
    firsts = {digest[:8] for digest in digests}
    assert all((other in mine) is (other[:8] in firsts) for other in others)


def test_it_grows_with_neighbouring_numbers() -> None:
    numbers = NumberSet()
    assert all(numbers.add(12125550000 + i) for i in range(20_000))
    assert not any(numbers.add(12125550000 + i) for i in range(20_000))
    assert 12125549999 not in numbers


def test_it_shows_its_size_only() -> None:
    numbers = NumberSet()
    numbers.add(12125550100)
    assert repr(numbers) == "<NumberSet of 1>"


def test_a_million_numbers_take_less_than_is_stated() -> None:
    numbers = NumberSet()
    for i in range(1_000_000):
        numbers.add(12125550000 + 7 * i)
    assert len(numbers._numbers.serialize()) <= 14_000_000
