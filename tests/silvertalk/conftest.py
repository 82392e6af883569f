"""Fixtures of the product's tests. Named here once, so that one PostgreSQL and one Valkey serve them all."""

from tests.postgres import postgres
from tests.silvertalk.one_time_store import store, store_away, valkey_socket

__all__ = ["postgres", "store", "store_away", "valkey_socket"]
