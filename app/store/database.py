"""The connection: one async engine, short transactions, and the schema brought up to date by Alembic.

On SQLite two processes share the file: WAL lets readers go on while one writes, a write transaction takes its lock
at once (BEGIN IMMEDIATE) so that it can wait instead of failing, and `synchronous=FULL` keeps a commit through a
power cut.
"""

import contextlib
import fcntl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from agents.errors import Invalid

BUSY_SECONDS = 30
MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


class Database:
    """Reads and writes on one database, by its SQLAlchemy URL without a driver (`sqlite:///...`, `postgresql://...`)."""

    def __init__(self, url: str) -> None:
        self._engine: AsyncEngine = create_async_engine(
            _with_driver(url, sync=False), pool_pre_ping=not _is_sqlite(url)
        )
        self._reader = self._engine
        if _is_sqlite(url):
            _prepare_sqlite(self._engine.sync_engine, foreign_keys="ON")
            self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for queries."""
        async with self._reader.connect() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One write transaction: committed at the end, rolled back on an exception."""
        async with self._engine.begin() as connection:
            yield connection

    async def takes_writes(self) -> bool:
        """Whether a write transaction on the inbox can be had now."""
        try:
            async with self.write() as connection:
                await connection.execute(text("SELECT 1 FROM inbox LIMIT 1"))
        except SQLAlchemyError:
            return False
        return True

    async def close(self) -> None:
        await self._engine.dispose()


def migrate(url: str) -> None:
    """Bring the schema up to date in one transaction; two processes may do it at once, one waits for the other.

    `Invalid` names the database that cannot be opened or was written by a newer version.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(_with_driver(url, sync=True))
    if _is_sqlite(url):
        _prepare_sqlite(engine, foreign_keys="OFF")  # a migration may rebuild a table that others refer to
    try:
        with _one_at_a_time(url), engine.begin() as connection:
            if not _is_sqlite(url):
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7355608)")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except (SQLAlchemyError, CommandError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        where = make_url(url).render_as_string(hide_password=True)
        raise Invalid(f"the database {where} cannot be brought up to date: {reason}") from error
    finally:
        engine.dispose()


def _is_sqlite(url: str) -> bool:
    return make_url(url).get_backend_name() == "sqlite"


def _with_driver(url: str, *, sync: bool) -> str:
    parsed = make_url(url)
    driver = "sqlite" if sync else "sqlite+aiosqlite"
    if not _is_sqlite(url):
        driver = "postgresql+psycopg"
    return parsed.set(drivername=driver).render_as_string(hide_password=False)


def _prepare_sqlite(engine: Engine, *, foreign_keys: str) -> None:
    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # BEGIN is ours to say
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"busy_timeout={BUSY_SECONDS * 1000}",
            f"foreign_keys={foreign_keys}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextlib.contextmanager
def _one_at_a_time(url: str) -> Iterator[None]:
    """SQLite has no advisory lock that would let two processes wait for each other's whole migration."""
    path = make_url(url).database if _is_sqlite(url) else None
    if not path:
        yield
        return
    with Path(f"{path}.migrating").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
