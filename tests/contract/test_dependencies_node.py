"""npm from a registry of our own: nothing of a package is run, and nothing comes from elsewhere."""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.adapters.dependencies import Indexes, Packages, Place
from app.adapters.dependencies.node import Node
from app.adapters.sandbox import INSIDE, bare_environment
from tests.boxes import UID, box, yard
from tests.package_indexes import PackageServer, package_server, write

PLACE = Place(path=bare_environment()["PATH"], root=INSIDE, uid=UID)
TEST = 'const {total} = require("prices"); require("node:assert").equal(total(21), 42); console.log("42")\n'
SHOP = {"name": "shop", "version": "1.0.0", "dependencies": {"prices": "^1.0.0"}}


@pytest.fixture
def registry() -> Iterator[PackageServer]:
    with package_server() as server:
        yield server


def lock_of(entry: Mapping[str, Any], **more: Any) -> str:
    root = {key: SHOP[key] for key in ("name", "version", "dependencies")}
    packages = {"": root, "node_modules/prices": dict(entry), **more.pop("packages", {})}
    return json.dumps({"name": "shop", "version": "1.0.0", "lockfileVersion": 3, "packages": packages, **more})


def prices(registry: PackageServer, mark: Path) -> dict[str, str]:
    """A package that would leave a mark where its scripts are run."""
    script = f"touch {mark}"
    package = {
        "name": "prices",
        "version": "1.0.0",
        "scripts": dict.fromkeys(("preinstall", "install", "postinstall"), script),
    }
    files = {"package.json": json.dumps(package), "index.js": "exports.total = price => price * 2\n"}
    return registry.add_npm("prices", "1.0.0", files)


@pytest.mark.usefixtures("needs_bubblewrap")
async def test_a_locked_package_is_tested_with_in_the_sandbox_and_no_script_is_run_outside(
    registry: PackageServer, tmp_path: Path
) -> None:
    if shutil.which("npm", path=PLACE.path) is None:
        pytest.skip("npm is not installed for the sandbox (package npm)")
    mark = tmp_path / "was-run"
    scripts = {"test": "node test.js", **dict.fromkeys(("preinstall", "postinstall", "prepare"), f"touch {mark}")}
    with yard() as tree, package_server() as other:
        lock = lock_of(prices(registry, mark))
        npmrc = f"registry={other.url}\nignore-scripts=false\nscript-shell=/bin/false\n"
        files = {"package.json": json.dumps({**SHOP, "scripts": scripts}), "package-lock.json": lock, "test.js": TEST}
        write(tree, {**files, ".npmrc": npmrc})
        packages = Packages(tmp_path / "packages", PLACE, Indexes(npm=registry.url), 10**9)
        provision = await packages.provide(str(tree))
        assert (provision.unchecked, len(provision.install)) == ((), 1)
        assert "/prices/-/prices-1.0.0.tgz" in registry.asked
        assert (mark.exists(), other.asked) == (False, [])
        (tree / ".npmrc").unlink()
        sandbox = box("bubblewrap", 120, 4096)
        for command in (*provision.install, ("npm", "test", "--silent")):
            done = await sandbox.run(str(tree), command, provision.environment)
            assert (done.status, done.exit_code) == ("ok", 0), done.output
        assert done.output == "42\n"


GOOD = {"version": "1.0.0", "resolved": "https://registry.npmjs.org/prices/-/prices-1.0.0.tgz", "integrity": "sha512-x"}


@pytest.mark.parametrize(
    ("package", "lock", "says"),
    [
        pytest.param(SHOP, None, "there is no package-lock.json", id="no lock"),
        pytest.param(SHOP, "{", "there is no package-lock.json", id="a broken lock"),
        pytest.param(
            SHOP, json.dumps({"lockfileVersion": 1, "dependencies": {}}), "versions 2 and 3", id="an old lock"
        ),
        pytest.param(
            {**SHOP, "dependencies": {"prices": "git+ssh://git@forge.example/prices.git"}},
            lock_of(GOOD),
            "no version",
            id="git",
        ),
        pytest.param(
            {**SHOP, "dependencies": {"prices": "acme/prices"}}, lock_of(GOOD), "no version", id="a forge's name"
        ),
        pytest.param({**SHOP, "devDependencies": {"x": "file:../x"}}, lock_of(GOOD), "no version", id="a path"),
        pytest.param(
            {**SHOP, "dependencies": {"x": "https://e.example/x.tgz"}}, lock_of(GOOD), "no version", id="a URL"
        ),
        pytest.param(
            SHOP,
            lock_of(GOOD, packages={"node_modules/x": {"resolved": "../../outside", "link": True}}),
            "no package of the repository",
            id="a link that leads out",
        ),
        pytest.param(
            SHOP, lock_of(GOOD, packages={"../outside": {}}), "not a package of the repository", id="a way out"
        ),
        pytest.param(SHOP, lock_of(GOOD, packages={"node_modules/x": 7}), "is no package", id="an entry that is none"),
    ],
)
def test_what_npm_would_take_from_elsewhere_is_refused_as_a_whole(
    tmp_path: Path, package: Mapping[str, Any], lock: str | None, says: str
) -> None:
    files = {"package.json": json.dumps(package)} | ({"package-lock.json": lock} if lock is not None else {})
    write(tmp_path, files)
    ask = Node(PLACE, Indexes()).ask(tmp_path, ())
    assert (ask.inputs, says in " ".join(ask.refused)) == ({}, True)


async def test_a_package_that_is_locked_to_another_registry_is_never_asked_for(
    registry: PackageServer, tmp_path: Path
) -> None:
    if shutil.which("npm", path=PLACE.path) is None:
        pytest.skip("npm is not installed for the sandbox (package npm)")
    with yard() as tree, package_server() as other:
        write(tree, {"package.json": json.dumps(SHOP), "package-lock.json": lock_of(prices(other, tmp_path / "x"))})
        packages = Packages(tmp_path / "packages", PLACE, Indexes(npm=registry.url), 10**9)
        provision = await packages.provide(str(tree))
        assert (registry.asked, other.asked, provision.install) == ([], [], ())
    (said,) = provision.unchecked
    assert "not of the registry" in said


def test_npm_is_given_no_script_and_no_settings_of_the_repository(tmp_path: Path) -> None:
    package = {**SHOP, "scripts": {"postinstall": "x"}, "publishConfig": {"registry": "x"}, "workspaces": ["web"]}
    lock = lock_of(GOOD, packages={"web": {"name": "web"}, "node_modules/web": {"resolved": "web", "link": True}})
    web = json.dumps({"name": "web", "scripts": {"install": "x"}})
    write(
        tmp_path,
        {"package.json": json.dumps(package), "package-lock.json": lock, "web/package.json": web, ".npmrc": "a=b"},
    )
    ask = Node(PLACE, Indexes()).ask(tmp_path, ())
    assert ask.refused == ()
    assert sorted(ask.inputs) == ["package-lock.json", "package.json", "web/package.json"]
    assert "scripts" not in "".join(text for path, text in ask.inputs.items() if path != "package-lock.json")


def test_a_package_that_asks_for_nothing_needs_no_lock(tmp_path: Path) -> None:
    write(tmp_path, {"package.json": json.dumps({"name": "shop", "scripts": {"test": "node --test"}})})
    ask = Node(PLACE, Indexes()).ask(tmp_path, ())
    assert (ask.inputs, ask.refused) == ({}, ())
