import asyncio
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

import app.migrations.versions
from agents.errors import Invalid
from app.store.database import Database, migrate
from app.store.tables import dead_letters, metadata, timeline

VERSIONS = Path(str(app.migrations.versions.__file__)).parent
MIGRATE = "import sys; from app.store.database import migrate; migrate(sys.argv[1])"


def with_driver(url: str) -> str:
    return url.replace("postgresql:", "postgresql+psycopg:", 1)


def test_the_migrations_make_exactly_the_tables(db_url: str) -> None:
    migrate(db_url)
    engine = create_engine(with_driver(db_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "target_metadata": metadata}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


async def test_migrating_again_changes_nothing_and_keeps_what_is_there(db: Database, db_url: str) -> None:
    await put_letter(db, datetime(2026, 11, 24, tzinfo=UTC))
    await asyncio.to_thread(migrate, db_url)
    assert len(await db.read(lambda connection: connection.execute(select(dead_letters)).all())) == 1


def test_two_processes_may_migrate_at_once(db_url: str) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", MIGRATE, db_url], stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    ends = [(process.communicate(timeout=30)[1], process.returncode) for process in processes]
    assert ends == [("", 0), ("", 0)]
    engine = create_engine(with_driver(db_url))
    with engine.connect() as connection:
        newest = max(path.name[:4] for path in VERSIONS.glob("0*.py"))
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [newest]
    engine.dispose()


def test_a_migration_that_fails_half_way_leaves_nothing_behind(db_url: str) -> None:
    """On SQLite too: a process killed there must find a database that it can migrate at its next start."""
    engine = create_engine(with_driver(db_url))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE bundles (in_the_way INTEGER)"))  # made after most of the others
    with pytest.raises(Invalid, match="bundles"):
        migrate(db_url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE bundles"))
    migrate(db_url)
    engine.dispose()


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_text("this is a text file, and long enough to have a header of its own" * 100)
    with pytest.raises(Invalid, match=r"store\.sqlite.*not a database"):
        migrate(f"sqlite:///{tmp_path / 'store.sqlite'}")


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    migrate(f"sqlite:///{path}")
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(Invalid, match="9999"):
        migrate(f"sqlite:///{path}")


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 24, 12, 30, 1, 123456, tzinfo=UTC),
        datetime(2026, 11, 24, 12, 30, tzinfo=timezone(timedelta(hours=-9, minutes=-30))),
        datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=2))),
    ],
)
async def test_moments_come_back_as_they_were_put_in_utc(db: Database, moment: datetime) -> None:
    await put_letter(db, moment)
    stored = await db.read(lambda connection: connection.execute(select(dead_letters.c.received_at)).scalar_one())
    assert stored == moment
    assert stored.utcoffset() == timedelta(0)


async def test_text_that_no_database_holds_is_stored_with_marks_in_its_place(db: Database) -> None:
    await put_letter(db, datetime(2026, 11, 24, tzinfo=UTC), reason="a\x00b\ud800c")
    stored = await db.read(lambda connection: connection.execute(select(dead_letters.c.reason)).scalar_one())
    same = select(dead_letters.c.id).where(dead_letters.c.reason == "a\x00b\ud800c")
    assert await db.read(lambda connection: connection.execute(same).scalar()) is not None
    assert stored == "a\ufffdb\ufffdc"


async def test_a_reference_to_nothing_is_refused(db: Database) -> None:
    row = {"attempt": "nobody", "at": datetime(2026, 11, 24, tzinfo=UTC), "state": "received"}
    with pytest.raises(IntegrityError):
        await db.write(lambda connection: connection.execute(insert(timeline).values(row)))


async def test_a_write_that_fails_is_taken_back_whole_and_alone(db: Database) -> None:
    """Writes that wait together share a transaction; one that fails may not take the others with it."""
    at = datetime(2026, 11, 24, tzinfo=UTC)

    def fail_half_way(connection: Connection) -> None:
        connection.execute(insert(dead_letters).values(letter(at, "half")))
        raise RuntimeError

    writes = [put_letter(db, at, reason=str(number)) for number in range(20)]
    done = await asyncio.gather(*writes[:10], db.write(fail_half_way), *writes[10:], return_exceptions=True)
    assert [type(one) for one in done if one is not None] == [RuntimeError]
    stored = await db.read(lambda connection: connection.execute(select(dead_letters.c.reason)).scalars().all())
    assert sorted(stored, key=int) == [str(number) for number in range(20)]


async def test_a_write_that_nobody_waits_for_any_more_holds_nothing_up(db: Database) -> None:
    at = datetime(2026, 11, 24, tzinfo=UTC)
    waiting = asyncio.create_task(put_letter(db, at, "first"))
    await asyncio.sleep(0)
    waiting.cancel()
    await put_letter(db, at, "second")
    stored = await db.read(lambda connection: connection.execute(select(dead_letters.c.reason)).scalars().all())
    assert "second" in stored
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_the_inbox_takes_writes_only_when_it_is_there(db: Database, tmp_path: Path) -> None:
    assert await db.takes_writes()
    empty = Database(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    assert not await empty.takes_writes()
    await empty.close()


async def test_many_writers_wait_for_each_other(db: Database) -> None:
    at = datetime(2026, 11, 24, tzinfo=UTC)
    await asyncio.gather(*(put_letter(db, at + timedelta(seconds=number)) for number in range(60)))
    assert len(await db.read(lambda connection: connection.execute(select(dead_letters)).all())) == 60


def letter(moment: datetime, reason: str = "") -> dict[str, object]:
    return {"received_at": moment, "cluster": "prod", "reason": reason, "size": 0, "body": b""}


async def put_letter(db: Database, moment: datetime, reason: str = "") -> None:
    await db.write(lambda connection: connection.execute(insert(dead_letters).values(letter(moment, reason))))
