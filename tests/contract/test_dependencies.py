"""What any `Dependencies` promises, held by the fake and by pip; and what pip must never do."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.verification import Dependencies, Provision
from app.adapters.dependencies import Indexes, Packages, Place
from app.adapters.dependencies.python import Python
from app.adapters.sandbox import INSIDE, bare_environment
from tests.boxes import UID, box, yard
from tests.fakes import FakeDependencies, FakeWorkspace
from tests.package_indexes import PackageServer, package_server, write

PRICES = {"prices/__init__.py": "from taxes import RATE\n\ndef total(price):\n    return price * RATE\n"}
TAXES = {"taxes.py": "RATE = 2\n"}
SHOP = {"shop.py": "import prices\nprint(prices.total(21))\n"}


@pytest.fixture
def index() -> Iterator[PackageServer]:
    with package_server() as server:
        server.add_wheel("prices", "1.0", PRICES, ("taxes>=1",))
        server.add_wheel("taxes", "1.1", TAXES)
        server.add_wheel("pytest", "9.0", {"pytest.py": ""})
        yield server


@dataclass
class Yard:
    """A tree on disk and the adapter for it."""

    tree: Path
    packages: Packages
    cache: Path

    async def provide(self, files: Mapping[str, str], *extra: str) -> Provision:
        write(self.tree, files)
        return await self.packages.provide(str(self.tree), extra)


def place_of(mode: str = "bubblewrap") -> Place:
    return Place(path=bare_environment()["PATH"], root=INSIDE if mode == "bubblewrap" else None, uid=UID)


@pytest.fixture
def ground(index: PackageServer, tmp_path: Path) -> Iterator[Yard]:
    with yard() as tree:
        indexes = Indexes(python=f"{index.url}/simple/")
        yield Yard(tree, Packages(tmp_path / "packages", place_of(), indexes, 10**9), tmp_path / "packages")


@pytest.fixture(params=["fake", "real"])
def site(request: pytest.FixtureRequest) -> tuple[Dependencies, str, Mapping[str, str]]:
    """The port, a tree, and a way to write into it."""
    files: dict[str, str] = {}
    if request.param == "fake":
        workspace = FakeWorkspace({})
        workspace.trees["t"] = files
        return FakeDependencies(workspace, frozenset({"prices", "pytest"})), "t", files
    real: Yard = request.getfixturevalue("ground")
    return real.packages, str(real.tree), files


async def provided(site: tuple[Dependencies, str, Mapping[str, str]], requirements: str | None) -> Provision:
    dependencies, tree, files = site
    if requirements is not None:
        if isinstance(files, dict):
            files["requirements.txt"] = requirements
        if tree != "t":
            write(Path(tree), files)
    return await dependencies.provide(tree)


async def test_a_tree_that_asks_for_nothing_gets_nothing(site: tuple[Dependencies, str, Mapping[str, str]]) -> None:
    assert await provided(site, None) == Provision()


async def test_what_there_is_comes_with_how_to_install_and_find_it(
    site: tuple[Dependencies, str, Mapping[str, str]],
) -> None:
    provision = await provided(site, "prices==1.0\n")
    assert provision.install
    assert provision.environment["PATH"]
    assert provision.unchecked == ()


async def test_what_is_not_there_or_not_taken_is_told_and_the_rest_goes_on(
    site: tuple[Dependencies, str, Mapping[str, str]],
) -> None:
    by_url = "prices @ https://files.example/prices-1.0-py3-none-any.whl"
    provision = await provided(site, f"prices==1.0\nnonesuch==1.0\n{by_url}\n")
    assert provision.install
    assert len(provision.unchecked) == 2
    assert all(said.startswith("packages: ") for said in provision.unchecked)
    assert sum("nonesuch==1.0" in said for said in provision.unchecked) == 1
    assert sum(by_url in said for said in provision.unchecked) == 1


@pytest.mark.usefixtures("needs_bubblewrap")
async def test_packages_are_installed_in_the_sandbox_without_a_network_and_kept(
    ground: Yard, index: PackageServer
) -> None:
    files = {
        **SHOP,
        "requirements.txt": "-r deep/base.txt\n-r requirements.txt\n",
        "deep/base.txt": "taxes  # for prices\n",
        "pyproject.toml": '[project]\nname = "shop"\ndependencies = ["prices>=1"]\n'
        '[dependency-groups]\ntest = ["pytest"]\ndocs = ["nonesuch"]\n',
    }
    provision = await ground.provide(files)
    wheels = [word.rpartition("/")[2] for word in provision.install[-1] if word.endswith(".whl")]
    assert wheels == ["prices-1.0-py3-none-any.whl", "pytest-9.0-py3-none-any.whl", "taxes-1.1-py3-none-any.whl"]
    assert provision.unchecked == ()
    index.asked.clear()
    assert await ground.provide(files) == provision
    assert index.asked == []
    sandbox = box("bubblewrap", 60)
    for command in provision.install:
        done = await sandbox.run(str(ground.tree), command, provision.environment)
        assert (done.status, done.exit_code) == ("ok", 0), done.output
    done = await sandbox.run(str(ground.tree), ("python3", "shop.py"), provision.environment)
    assert (done.exit_code, done.output) == (0, "42\n")


async def test_two_that_want_the_same_at_once_fetch_it_once(ground: Yard, index: PackageServer) -> None:
    digest = index.add_wheel("taxes", "1.1", TAXES)
    requirements = {"requirements.txt": f"taxes==1.1 \\\n    --hash=sha256:{digest}\n"}
    write(ground.tree, requirements)
    with yard() as other:
        write(other, requirements)
        both = await asyncio.gather(*(ground.packages.provide(str(tree)) for tree in (ground.tree, other)))
    assert both[0] == both[1]
    assert both[0].unchecked == ()
    assert index.asked.count("/packages/taxes-1.1-py3-none-any.whl") == 1


async def test_a_package_that_is_not_the_one_of_the_hash_is_not_taken(ground: Yard) -> None:
    provision = await ground.provide({"requirements.txt": f"taxes==1.1 --hash=sha256:{'0' * 64}\n"})
    assert (provision.install, len(provision.unchecked)) == ((), 1)
    assert "taxes==1.1" in provision.unchecked[0]


async def test_no_setup_of_a_source_distribution_is_run(ground: Yard, index: PackageServer, tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    index.add_sdist("trap", "1.0", f"open({str(mark)!r}, 'w').write('x')\n")
    provision = await ground.provide({"requirements.txt": "trap\ntaxes\n"})
    assert not mark.exists()
    assert "/packages/trap-1.0.tar.gz" not in index.asked
    (said,) = provision.unchecked
    assert "trap" in said
    assert "taxes-1.1-py3-none-any.whl" in provision.install[-1][-1]


ELSEWHERE = (
    "--index-url {other}/simple/",
    "--extra-index-url={other}/simple/",
    "-i {other}/simple/",
    "--find-links {other}/packages/",
    "-e .",
    "-e git+{other}/x.git#egg=x",
    "git+{other}/x.git",
    "{other}/packages/taxes-1.1-py3-none-any.whl",
    "taxes @ git+{other}/x.git",
    "./local",
    "file:///etc",
    "--no-binary :all:",
    "--trusted-host 127.0.0.1",
    "-r ../outside.txt",
    "-r /etc/passwd",
    "-c {other}/constraints.txt",
    "taxes --config-settings=--x=y",
    "prices \\\n--index-url {other}/simple/",
)


@pytest.mark.parametrize("line", ELSEWHERE)
def test_a_line_that_leads_elsewhere_is_refused_and_told(tmp_path: Path, line: str) -> None:
    write(tmp_path, {"requirements.txt": line.format(other="http://other.example") + "\ntaxes\n"})
    ask = Python(place_of(), Indexes()).ask(tmp_path, ())
    assert ask.inputs == {"requirements.txt": "taxes\n"}
    assert len(ask.refused) == 1
    assert ask.refused[0].startswith("requirements.txt: ")


async def test_no_line_leads_pip_to_another_index(ground: Yard, index: PackageServer) -> None:
    with package_server() as other:
        other.add_wheel("taxes", "9.9", TAXES)
        lines = "\n".join(line.format(other=other.url) for line in ELSEWHERE)
        provision = await ground.provide({"requirements.txt": f"{lines}\ntaxes\n"})
        assert other.asked == []
    assert provision.install[-1][-1].endswith("/taxes-1.1-py3-none-any.whl")
    assert index.asked


async def test_what_the_repository_has_under_our_folders_name_leads_nowhere(ground: Yard, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (ground.tree / ".selfheal").symlink_to(outside)
    await ground.provide({"requirements.txt": "taxes\n"})
    assert list(outside.iterdir()) == []
    assert [path.name for path in (ground.tree / ".selfheal" / "python").iterdir()] == ["taxes-1.1-py3-none-any.whl"]


async def test_an_index_that_cannot_be_reached_is_told_and_asked_again(tmp_path: Path, index: PackageServer) -> None:
    with yard() as tree:
        write(tree, {"requirements.txt": "taxes\n"})
        away = Packages(tmp_path / "packages", place_of(), Indexes(python="http://127.0.0.1:9/simple/"), 10**9)
        provision = await away.provide(str(tree))
        assert provision.install == ()
        assert "packages for python could not be fetched" in provision.unchecked[0]
        assert [path for path in (tmp_path / "packages").iterdir() if path.is_dir()] == []
        back = Packages(tmp_path / "packages", place_of(), Indexes(python=f"{index.url}/simple/"), 10**9)
        assert (await back.provide(str(tree))).unchecked == ()
