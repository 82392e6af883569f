"""Fixtures of the product's tests. Named here once, so that one PostgreSQL and one Valkey serve them all."""

from tests.postgres import either_database, postgres
from tests.silvertalk.one_time_store import store, store_away, valkey_socket

__all__ = ["either_database", "postgres", "store", "store_away", "valkey_socket"]
