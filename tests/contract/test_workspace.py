"""What any `Workspace` promises, held by the fake and by trees on disk from real repositories."""

import os
import shutil
import stat
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import pytest

from agents.errors import Denied
from agents.verification import Workspace
from app.adapters.checkout import Mirrors, Trees
from tests.fakes import FakeCommit, FakeRepository, FakeWorkspace
from tests.scratch import EXECUTABLE, LINK, SUBMODULE, Scratch

FIRST = {"shop.py": "one\n", "lib/tool.py": "tool\n"}
LATER = {"shop.py": "two\n", "lib/tool.py": "tool\n", "more.txt": "crlf\r\nform\x0cfeed \u2028 no end"}


class Site(ABC):
    workspace: Workspace
    url: str
    shas: tuple[str, ...]

    @abstractmethod
    def files(self, tree: str) -> Mapping[str, str]: ...

    @abstractmethod
    def trees(self) -> list[str]: ...


class FakeSite(Site):
    def __init__(self, _: Path) -> None:
        repository = FakeRepository(FakeCommit("first", FIRST), FakeCommit("later", LATER))
        self.url, self.shas = "https://forge.example/acme/shop", repository.shas
        self.workspace = self.fake = FakeWorkspace({self.url: repository})

    def files(self, tree: str) -> Mapping[str, str]:
        return self.fake.trees[tree]

    def trees(self) -> list[str]:
        return list(self.fake.trees)


class RealSite(Site):
    def __init__(self, folder: Path) -> None:
        self.root = folder / "trees"
        self.scratch = Scratch(folder / "forge" / "shop.git")
        self.scratch.commit("first", FIRST)
        self.scratch.commit("later", LATER)
        self.url, self.shas = self.scratch.url, tuple(self.scratch.shas)
        self.workspace = Trees(Mirrors(folder / "mirrors", folder / "forge"), self.root, None)

    def files(self, tree: str) -> Mapping[str, str]:
        found = {}
        for folder, _, names in os.walk(tree):
            for name in names:
                path = Path(folder) / name
                found[str(path.relative_to(tree))] = path.read_bytes().decode()
        return found

    def trees(self) -> list[str]:
        return sorted(path.name for path in self.root.iterdir()) if self.root.exists() else []


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def links_in(tree: Path) -> dict[str, Path]:
    """Every link and where it leads in the end."""
    return {str(path.relative_to(tree)): Path(os.path.realpath(path)) for path in tree.rglob("*") if path.is_symlink()}


@pytest.fixture(params=[FakeSite, RealSite], ids=["fake", "real"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    made: Site = request.param(tmp_path)
    return made


@pytest.fixture
def real(tmp_path: Path) -> RealSite:
    return RealSite(tmp_path)


async def test_a_commit_is_laid_out_byte_for_byte(site: Site) -> None:
    for sha, files in zip(site.shas, (FIRST, LATER), strict=True):
        assert site.files(await site.workspace.lay_out(site.url, sha, {})) == files


async def test_files_are_written_over_it_and_none_takes_one_away(site: Site) -> None:
    over = {"shop.py": "mine\r\n", "new/deep/file.py": "n\n", "lib/tool.py": None, "never/was": None}
    tree = await site.workspace.lay_out(site.url, site.shas[0], over)
    assert site.files(tree) == {"shop.py": "mine\r\n", "new/deep/file.py": "n\n"}
    assert site.files(await site.workspace.lay_out(site.url, site.shas[0], {})) == FIRST


async def test_trees_are_apart_and_cleared_one_by_one(site: Site) -> None:
    one = await site.workspace.lay_out(site.url, site.shas[0], {})
    other = await site.workspace.lay_out(site.url, site.shas[0], {})
    assert one != other
    await site.workspace.clear(one)
    await site.workspace.clear(one)
    assert len(site.trees()) == 1
    assert site.files(other) == FIRST


@pytest.mark.parametrize(
    "path",
    ["../out", "/etc/out", "lib/../../out", "", ".git/config", "lib/.GIT/hooks/pre-commit", "a\0b", "lib/.."],
)
async def test_no_path_leads_out_or_into_a_git_folder(site: Site, path: str) -> None:
    with pytest.raises(Denied):
        await site.workspace.lay_out(site.url, site.shas[0], {path: "x"})
    assert site.trees() == []


async def test_what_is_not_there_is_denied(site: Site) -> None:
    for url, sha in ((site.url, "f" * 40), (f"{site.url}x", site.shas[0]), (site.url, "main")):
        with pytest.raises(Denied):
            await site.workspace.lay_out(url, sha, {})
    assert site.trees() == []


async def test_names_may_be_odd_and_modes_are_kept(real: RealSite) -> None:
    odd = ["-n", "a b", "tab\tx", "new\nline", 'qu"ote', "back\\slash", "näme", "*", ":(top)x", "~", "%s", " "]
    sha = real.scratch.commit("odd", dict.fromkeys(odd, "x\n") | {"run.sh": "run\n"}, {"run.sh": EXECUTABLE})
    tree = Path(await real.workspace.lay_out(real.url, sha, {"run.sh": "mine\n"}))
    assert set(real.files(str(tree))) == {*LATER, *odd, "run.sh"}
    assert mode_of(tree / "run.sh") & 0o111 == 0o111
    assert mode_of(tree / "shop.py") & 0o111 == 0
    assert mode_of(tree) == 0o700


async def test_names_that_are_no_text_are_laid_out_too(real: RealSite) -> None:
    blob = real.scratch.git("hash-object", "-w", "--stdin", stdin=b"x\n")
    tree = real.scratch.git("mktree", "-z", stdin=b"100644 blob " + blob.encode() + b"\tlatin-\xe9\0")
    sha = real.scratch.commit_tree(tree, "latin")
    laid_out = await real.workspace.lay_out(real.url, sha, {})
    assert os.listdir(os.fsencode(laid_out)) == [b"latin-\xe9"]  # noqa: PTH208 - bytes


async def test_attributes_of_the_repository_change_nothing(real: RealSite) -> None:
    attributes = "* text=auto eol=crlf export-ignore ident filter=evil\nshop.py export-subst\n"
    files = {".gitattributes": attributes, "shop.py": "$Id$ $Format:%H$\n", "auto.txt": "a\r\nb\n"}
    sha = real.scratch.commit("attributes", files)
    real.scratch.git("config", "filter.evil.smudge", "touch /tmp/never; cat")
    assert real.files(await real.workspace.lay_out(real.url, sha, {})) == {**LATER, **files}


LINKS = {
    "to-file": "shop.py",
    "to-folder": "lib",
    "lib/up": "../shop.py",
    "dangling": "nowhere/at/all",
    "here": ".",
    "through": "to-folder/tool.py",
}
OUT = {
    "absolute": "/etc/passwd",
    "absolute-inside": "/work/shop.py",
    "up": "../../etc/passwd",
    "deep/up": "../../out",
    "a-first": "z-last/../../out",
    "deep/trick": "../z-last/../out",
    "loop": "loop",
    "ping": "pong",
    "pong": "ping",
    "chain": "up",
    "empty": "",
    "nul": "shop.py\0/etc/passwd",
    "long": "x" * 5000,
}


async def test_only_links_that_stay_in_the_tree_are_kept(real: RealSite) -> None:
    links = {**LINKS, **OUT, "z-last": "."}
    sha = real.scratch.commit("links", links, dict.fromkeys(links, LINK))
    tree = Path(await real.workspace.lay_out(real.url, sha, {}))
    kept = links_in(tree)
    assert kept.keys() - {"loop", "ping", "pong"} == {*LINKS, "z-last"}
    assert all(aim.is_relative_to(tree) for aim in kept.values())
    assert (tree / "through").read_text() == "tool\n"


async def test_a_file_is_written_in_a_links_place_and_never_through_one_that_leads_out(real: RealSite) -> None:
    links = {"alias": "shop.py", "folder": "lib"}
    sha = real.scratch.commit("links", links, dict.fromkeys(links, LINK))
    tree = Path(await real.workspace.lay_out(real.url, sha, {"alias": "mine\n", "folder/tool.py": "t\n"}))
    assert not (tree / "alias").is_symlink()
    assert (tree / "shop.py").read_text() == "two\n"
    assert (tree / "lib" / "tool.py").read_text() == "t\n"


async def test_a_submodule_is_left_out(real: RealSite) -> None:
    sha = real.scratch.commit("sub", {}, {"vendor/lib": SUBMODULE})
    assert real.files(await real.workspace.lay_out(real.url, sha, {})) == LATER


@pytest.mark.parametrize("name", [b".git", b".GIT", b"..", b"x" * 300])
async def test_a_tree_that_git_itself_would_not_make_is_refused_whole(real: RealSite, name: bytes) -> None:
    blob = real.scratch.git("hash-object", "-w", "--stdin", stdin=b"x\n")
    raw = b"100644 " + name + b"\0" + bytes.fromhex(blob)
    tree = real.scratch.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=raw)
    sha = real.scratch.commit_tree(tree, "bad")
    with pytest.raises(Denied):
        await real.workspace.lay_out(real.url, sha, {})
    assert real.trees() == []


async def test_a_file_in_the_place_of_a_folder_is_denied_and_leaves_nothing(real: RealSite) -> None:
    for path in ("lib", "shop.py/below"):
        with pytest.raises(Denied, match="cannot be laid out"):
            await real.workspace.lay_out(real.url, real.shas[0], {path: "x"})
    assert real.trees() == []


async def test_a_tree_is_cleared_whatever_the_code_in_it_did(real: RealSite, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o500)
    (tree := Path(await real.workspace.lay_out(real.url, real.shas[0], {}))).joinpath("out").symlink_to(outside)
    (tree / "lib").chmod(0)
    await real.workspace.clear(str(tree))
    assert real.trees() == []
    assert mode_of(outside) == 0o500


async def test_a_folder_that_is_not_ours_is_not_used(real: RealSite, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.rmtree(real.root, ignore_errors=True)
    real.root.symlink_to(elsewhere)
    with pytest.raises(Denied, match="SELFHEAL_SANDBOX_DIR"):
        await real.workspace.lay_out(real.url, real.shas[0], {})
    assert list(elsewhere.glob("*")) == []
    real.root.unlink()
    real.root.write_text("a file")
    with pytest.raises(Denied, match="SELFHEAL_SANDBOX_DIR"):
        await real.workspace.lay_out(real.url, real.shas[0], {})


async def test_a_sweep_takes_what_a_killed_process_left_and_nobody_elses(real: RealSite, tmp_path: Path) -> None:
    mirrors = Mirrors(tmp_path / "mirrors", tmp_path / "forge")
    mine, other = (Trees(mirrors, real.root, None, prefix=name) for name in ("mine", "other"))
    await mine.lay_out(real.url, real.shas[0], {})
    kept = await other.lay_out(real.url, real.shas[0], {})
    await Trees(mirrors, real.root, None, prefix="mine").sweep()
    assert real.trees() == [Path(kept).name]


async def test_a_sweep_follows_no_link_and_needs_no_folder(real: RealSite, tmp_path: Path) -> None:
    trees = Trees(Mirrors(tmp_path / "mirrors", tmp_path / "forge"), real.root, None)
    await trees.sweep()
    (tmp_path / "elsewhere" / "tree-1").mkdir(parents=True)
    real.root.symlink_to(tmp_path / "elsewhere")
    await trees.sweep()
    assert (tmp_path / "elsewhere" / "tree-1").is_dir()
