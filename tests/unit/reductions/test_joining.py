"""Partial results are joined in an order that the number of tasks alone decides."""

from __future__ import annotations

import pytest

from nearfield.reductions.joining import Joiner, joins


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 100])
def test_the_pairs_and_the_stream_join_in_the_same_order(count: int) -> None:
    each = [str(i) for i in range(count)]
    for left, right in joins(count):
        each[left] = f"({each[left]} {each[right]})"
    joiner = Joiner[str](lambda left, right: f"({left} {right})")
    for i in range(count):
        joiner.add(str(i))
    assert joiner.whole() == each[0]
    assert each[0].replace("(", "").replace(")", "").split() == [str(i) for i in range(count)]


def test_few_are_held_at_a_time() -> None:
    joiner = Joiner[int](lambda left, right: left + right)
    for i in range(1000):
        joiner.add(i)
        assert len(joiner._waiting) <= 10
    assert joiner.whole() == 499_500
