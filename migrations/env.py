"""Runs the migrations: on the connection that `silvertalk.migrating` hands over, or, for `alembic` on the command line,
on the database of the settings.
"""

import asyncio

from alembic import context
from sqlalchemy import Connection

from silvertalk.migrating import migration_engine
from silvertalk.models import Model
from silvertalk.settings import Settings


def run(connection: Connection) -> None:
    """SQLite cannot alter a table in place: `render_as_batch` copies it. Its DDL is transactional as we open it."""
    context.configure(
        connection=connection,
        target_metadata=Model.metadata,
        render_as_batch=True,
        transactional_ddl=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_alone() -> None:
    engine = migration_engine(Settings.read().database)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


if context.is_offline_mode():
    raise SystemExit("Migrations are run on a database, not written as SQL.")
if (given := context.config.attributes.get("connection")) is not None:
    run(given)
else:
    asyncio.run(run_alone())
