from aquascene.web.ratelimit import Buckets


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_holds_its_burst_and_fills_at_its_rate() -> None:
    clock = Clock()
    buckets = Buckets(per_hour=3600, burst=2, clock=clock)
    assert [buckets.take("a") for _ in range(3)] == [0.0, 0.0, 1.0]
    assert buckets.wait("a") == 1.0
    clock.now = 1.0
    assert (buckets.take("a"), buckets.take("a")) == (0.0, 1.0)
    clock.now = 3600.0
    assert [buckets.take("a") for _ in range(3)] == [0.0, 0.0, 1.0]


def test_buckets_are_apart_and_waiting_takes_nothing() -> None:
    buckets = Buckets(per_hour=3600, burst=1, clock=Clock())
    assert (buckets.take("a"), buckets.take("b"), buckets.wait("c"), buckets.take("c")) == (0.0, 0.0, 0.0, 0.0)


def test_memory_is_bounded_and_the_least_used_is_forgotten() -> None:
    buckets = Buckets(per_hour=1, burst=1, clock=Clock())
    for number in range(20_001):
        buckets.take(str(number))
    assert len(buckets._levels) == 20_000
    assert "0" not in buckets._levels
