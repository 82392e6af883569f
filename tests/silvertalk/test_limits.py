import pytest

from silvertalk import limits
from silvertalk.errors import RateLimited
from silvertalk.limits import AddressLimit, network_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_the_rate() -> None:
    clock = Clock()
    limit = AddressLimit(6, clock=clock)
    for _ in range(6):
        limit.take("1.2.3.4")
    with pytest.raises(RateLimited) as refused:
        limit.take("1.2.3.4")
    assert refused.value.retry_after_seconds == 10
    clock.now += 10
    limit.take("1.2.3.4")
    with pytest.raises(RateLimited):
        limit.take("1.2.3.4")


def test_asking_while_refused_costs_nothing_more() -> None:
    clock = Clock()
    limit = AddressLimit(1, clock=clock)
    limit.take("1.2.3.4")
    for _ in range(100):
        with pytest.raises(RateLimited):
            limit.take("1.2.3.4")
    clock.now += 60
    limit.take("1.2.3.4")


def test_addresses_do_not_share_and_households_do() -> None:
    limit = AddressLimit(1, clock=Clock())
    limit.take("1.2.3.4")
    limit.take("1.2.3.5")
    limit.take("2001:db8::1")
    with pytest.raises(RateLimited):
        limit.take("2001:db8::2")
    with pytest.raises(RateLimited):
        limit.take("::ffff:1.2.3.4")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_ADDRESSES", 10)
    limit = AddressLimit(1, clock=Clock())
    for number in range(100):
        limit.take(f"1.2.3.{number}")
    assert len(limit) == 10


@pytest.mark.parametrize(
    ("address", "network"),
    [("", "unknown"), ("unix:", "unknown"), ("fe80::1%eth0", "fe80::/64"), ("127.0.0.1", "127.0.0.1")],
)
def test_odd_addresses_are_one_household(address: str, network: str) -> None:
    assert network_of(address) == network
