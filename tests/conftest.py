"""Fixtures for everybody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from tests.sharing import Sharing, turn_of
from tests.valkey import Valkey, leaked_keys, running_valkey

_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How long an example takes says what else the machine does."""
settings.register_profile("always the same", _UNTIMED, derandomize=True)
settings.register_profile("explore", _UNTIMED, max_examples=2_000)
settings.load_profile(
    "always the same"
)  # what nobody has changed does not fail; `--hypothesis-profile explore` looks on


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing:
    return Sharing(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: turn_of(item.nodeid))


@pytest.fixture(scope="session")
def shared_valkey() -> Iterator[Valkey]:
    """One server for all tests that do not kill it."""
    with running_valkey() as server:
        yield server


@pytest.fixture
def valkey(shared_valkey: Valkey) -> Iterator[Valkey]:
    """An empty Valkey; a test that leaves a key without a time to live fails, but for the few named in the bus."""
    shared_valkey.flush()
    yield shared_valkey
    leaked = leaked_keys(shared_valkey.client)
    assert not leaked, f"keys left without a time to live: {leaked}"


@pytest.fixture
def own_valkey() -> Iterator[Valkey]:
    """An empty Valkey that the test may kill; what it held is gone then."""
    with running_valkey() as server:
        yield server


@pytest.fixture
def durable_valkey() -> Iterator[Valkey]:
    """An empty Valkey that the test may kill; what it had acknowledged is there again after a start."""
    with running_valkey(durable=True) as server:
        yield server
