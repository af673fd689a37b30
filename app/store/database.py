"""The connection: short transactions on either database, and the schema brought up to date by Alembic.

On SQLite two processes share the file: WAL lets readers go on while one writes, a write transaction takes its lock
at once (BEGIN IMMEDIATE) so that it can wait instead of failing, and `synchronous=FULL` keeps a commit through a
power cut.
"""

import contextlib
import fcntl
import functools
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from agents.errors import Invalid
from app.store.threads import SqliteThreads

BUSY_SECONDS = 30
MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


Answer = TypeVar("Answer")
Given = ParamSpec("Given")
Work = Callable[Concatenate[Connection, Given], Answer]


class Database:
    """Reads and writes on one database, by its SQLAlchemy URL without a driver (`sqlite:///...`, `postgresql://...`)."""

    def __init__(self, url: str) -> None:
        self._backend = _sqlite(url) if _is_sqlite(url) else _Postgres(url)

    async def read(self, work: Callable[[Connection], Answer]) -> Answer:
        """What `work` finds out on a connection for queries."""
        return await self._backend.read(work)

    async def write(self, work: Callable[[Connection], Answer]) -> Answer:
        """Do `work` as one write transaction: committed at its end, rolled back on an exception."""
        return await self._backend.write(work)

    async def takes_writes(self) -> bool:
        """Whether a write transaction on the inbox can be had now."""
        try:
            await self.write(lambda connection: connection.execute(text("SELECT 1 FROM inbox LIMIT 1")).all())
        except SQLAlchemyError:
            return False
        return True

    async def close(self) -> None:
        await self._backend.close()


def reads(work: "Work[Given, Answer]") -> Callable[Concatenate[Database, Given], Awaitable[Answer]]:
    """Makes a function of a connection one of a database, run on a connection for queries."""

    @functools.wraps(work)
    async def query(db: Database, /, *args: Given.args, **kwargs: Given.kwargs) -> Answer:
        return await db.read(lambda connection: work(connection, *args, **kwargs))

    return query


def writes(work: "Work[Given, Answer]") -> Callable[Concatenate[Database, Given], Awaitable[Answer]]:
    """Makes a function of a connection one of a database, run as one write transaction."""

    @functools.wraps(work)
    async def transact(db: Database, /, *args: Given.args, **kwargs: Given.kwargs) -> Answer:
        return await db.write(lambda connection: work(connection, *args, **kwargs))

    return transact


class _Postgres:
    def __init__(self, url: str) -> None:
        self._engine = create_async_engine(_with_driver(url), pool_pre_ping=True)

    async def read(self, work: Callable[[Connection], Answer]) -> Answer:
        async with self._engine.connect() as connection:
            return await connection.run_sync(work)

    async def write(self, work: Callable[[Connection], Answer]) -> Answer:
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    async def close(self) -> None:
        await self._engine.dispose()


def _sqlite(url: str) -> SqliteThreads:
    engine = create_engine(_with_driver(url))
    _prepare_sqlite(engine, foreign_keys="ON")
    return SqliteThreads(engine, engine.execution_options(isolation_level="AUTOCOMMIT"))


def migrate(url: str) -> None:
    """Bring the schema up to date in one transaction; two processes may do it at once, one waits for the other.

    `Invalid` names the database that cannot be opened or was written by a newer version.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(_with_driver(url))
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


def _with_driver(url: str) -> str:
    driver = "sqlite" if _is_sqlite(url) else "postgresql+psycopg"
    return make_url(url).set(drivername=driver).render_as_string(hide_password=False)


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
