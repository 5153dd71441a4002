import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ibp_chain.web.limits import Buckets, Rate

RATE = Rate(burst=3, seconds_each=10.0)


def test_a_burst_is_let_through_and_then_one_at_a_time() -> None:
    buckets = Buckets(RATE)
    assert [buckets.take("one", 0.0) for _ in range(4)] == [None, None, None, 10]
    assert buckets.take("one", 9.0) == 1
    assert buckets.take("one", 10.0) is None
    assert buckets.take("one", 10.0) == 10


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    buckets = Buckets(RATE)
    buckets.take("one", 0.0)
    assert [buckets.take("one", 1e6) for _ in range(4)] == [None, None, None, 10]


def test_clients_do_not_take_from_one_another() -> None:
    buckets = Buckets(RATE)
    assert buckets.take("one", 0.0, cost=3) is None
    assert buckets.take("other", 0.0, cost=3) is None
    assert buckets.take("one", 0.0) == 10


def test_a_clock_that_goes_back_gives_nothing() -> None:
    buckets = Buckets(RATE)
    buckets.take("one", 100.0, cost=3)
    assert buckets.take("one", 0.0) == 10


def test_only_the_last_clients_are_remembered() -> None:
    buckets = Buckets(RATE, most=2)
    for name in ("one", "two", "three"):
        buckets.take(name, 0.0, cost=3)
    assert buckets.take("three", 0.0) == 10
    assert buckets.take("one", 0.0) is None  # forgotten: a new bucket


def test_a_cost_that_no_bucket_holds_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="more than a bucket holds"):
        Buckets(RATE).take("one", 0.0, cost=4)


def test_requests_of_one_client_at_the_same_time_take_from_one_bucket() -> None:
    """Each request is answered in a thread of its own."""

    class Slow(OrderedDict[str, Any]):
        def pop(self, *given: Any) -> Any:
            found = super().pop(*given)
            time.sleep(0.01)  # another thread's turn
            return found

    buckets = Buckets(RATE)
    buckets._of = Slow()
    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(lambda _: buckets.take("one", 0.0), range(16)))
    assert told.count(None) == RATE.burst
