"""Go modules from a proxy folder of our own, and what a go.mod must not lead to."""

import shutil
from pathlib import Path

import pytest

from app.adapters.dependencies import Indexes, Packages, Place
from app.adapters.dependencies.go import Go
from app.adapters.sandbox import INSIDE, bare_environment
from tests.boxes import UID, box, yard
from tests.package_indexes import add_go_module, write

PLACE = Place(path=bare_environment()["PATH"], root=INSIDE, uid=UID)
PRICES = "example.org/prices"
MODULE = f"module example.org/shop\n\ngo 1.20\n\nrequire {PRICES} v1.0.0\n"


@pytest.mark.usefixtures("needs_bubblewrap")
async def test_a_module_is_fetched_and_found_in_the_sandbox(tmp_path: Path) -> None:
    if shutil.which("go", path=PLACE.path) is None:
        pytest.skip("go is not installed for the sandbox (in /usr/local/go or as a package)")
    proxy = tmp_path / "proxy"
    files = {"go.mod": f"module {PRICES}\n\ngo 1.20\n", "prices.go": "package prices\n\nconst Rate = 2\n"}
    add_go_module(proxy, PRICES, "v1.0.0", files)
    with yard() as tree:
        write(tree, {"go.mod": MODULE, "shop.go": f'package shop\n\nimport "{PRICES}"\n\nconst Rate = prices.Rate\n'})
        indexes = Indexes(go=proxy.as_uri(), machine={"GOSUMDB": "off", "GOFLAGS": "-toolexec=/bin/false"})
        packages = Packages(tmp_path / "packages", PLACE, indexes, 10**9)
        provision = await packages.provide(str(tree))
        assert (provision.install, provision.unchecked) == ((), ())
        command = ("go", "list", "-deps", "-f", "{{.ImportPath}}", "./...")
        done = await box("bubblewrap", 120, 4096).run(str(tree), command, provision.environment)
        assert (done.status, done.exit_code) == ("ok", 0), done.output
        assert PRICES in done.output.split("\n")


@pytest.mark.parametrize(
    "replace",
    [
        "replace example.org/prices => ../prices",
        "replace example.org/prices v1.0.0 => /etc",
        'replace example.org/prices => "../prices"',
        "replace (\n\texample.org/prices => ./../../prices // for now\n)",
        "replace example.org/prices => ./not-there",
    ],
)
def test_a_replacement_outside_of_the_repository_is_refused(tmp_path: Path, replace: str) -> None:
    write(tmp_path, {"shop/go.mod": f"{MODULE}\n{replace}\n", "prices/go.mod": f"module {PRICES}\n"})
    ask = Go(PLACE, Indexes()).ask(tmp_path / "shop", ())
    assert ask.inputs == {}
    assert "no module of the repository" in ask.refused[0]


def test_a_replacement_inside_goes_along(tmp_path: Path) -> None:
    write(tmp_path, {"go.mod": f"{MODULE}\nreplace {PRICES} => ./prices\n", "prices/go.mod": f"module {PRICES}\n"})
    ask = Go(PLACE, Indexes()).ask(tmp_path, ())
    assert sorted(ask.inputs) == ["go.mod", "go.sum", "prices/go.mod"]
    assert ask.refused == ()


@pytest.mark.parametrize(
    "files", [{"go.mod": "module x\n"}, {"go.mod": MODULE, "vendor/modules.txt": "x"}, {"a.go": ""}]
)
def test_a_module_that_needs_none_or_brings_its_own_has_none_fetched(tmp_path: Path, files: dict[str, str]) -> None:
    write(tmp_path, files)
    ask = Go(PLACE, Indexes()).ask(tmp_path, ())
    assert (ask.inputs, ask.refused) == ({}, ())


async def test_a_repository_is_never_fetched_by_version_control(tmp_path: Path) -> None:
    if shutil.which("go", path=PLACE.path) is None:
        pytest.skip("go is not installed for the sandbox (in /usr/local/go or as a package)")
    with yard() as tree:
        write(tree, {"go.mod": MODULE.replace(PRICES, "example.org/prices.git")})
        packages = Packages(tmp_path / "packages", PLACE, Indexes(go="direct", machine={"GOSUMDB": "off"}), 10**9)
        provision = await packages.provide(str(tree))
    (said,) = provision.unchecked
    assert "GOVCS" in said
