"""What any `Forge` promises, held by the fake, by the local forge on real bare repositories, and on GitHub."""

import asyncio
import stat
from pathlib import Path

import pytest

from agents.errors import Conflict, Denied
from agents.patch import FileChange
from agents.pull_request import Head, Text, with_marker
from app.adapters.forge_local import LocalForge
from tests.forges import AFTER, BEFORE, KEY, SITES, LocalSite, Site
from tests.github_server.site import GitHubSite
from tests.scratch import EXECUTABLE, LINK, SUBMODULE

CHANGE = (FileChange(path="shop.py", before=BEFORE, after=AFTER),)
TEXT = Text(title="Fix it", body="because\n", draft=True)
OTHER = "f" * 32


@pytest.fixture(params=[*SITES, "github"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    return (SITES | {"github": GitHubSite})[request.param](tmp_path)


@pytest.fixture
def local(tmp_path: Path) -> LocalSite:
    return LocalSite(tmp_path)


async def test_a_commit_is_on_no_branch_until_one_points_at_it(site: Site) -> None:
    assert await site.forge.default_branch(site.url) == "main"
    sha = await site.forge.commit(site.url, site.base, CHANGE, "subject\n\nbody\n")
    assert site.branches() == {"main": site.base}
    assert await site.forge.head(site.url, "fix") is None
    await site.forge.point(site.url, "fix", sha, None)
    assert site.branches() == {"main": site.base, "fix": sha}
    head = await site.forge.head(site.url, "fix")
    assert head is not None
    assert (head.sha, head.message.strip()) == (sha, "subject\n\nbody")


async def test_a_branch_moves_only_from_where_it_was_seen(site: Site) -> None:
    sha = await site.forge.commit(site.url, site.base, CHANGE, "one")
    other = await site.forge.commit(site.url, site.base, CHANGE, "two")
    await site.forge.point(site.url, "fix", sha, None)
    for expected in (None, other):
        with pytest.raises(Conflict, match="fix"):
            await site.forge.point(site.url, "fix", other, expected)
    with pytest.raises(Conflict):
        await site.forge.point(site.url, "gone", other, sha)
    await site.forge.point(site.url, "fix", other, sha)
    assert site.branches()["fix"] == other


async def test_a_head_has_one_open_pull_request_and_the_open_one_is_found_first(site: Site) -> None:
    await site.forge.point(site.url, "fix", await site.forge.commit(site.url, site.base, CHANGE, "x"), None)
    assert await site.forge.find_pull_request(site.url, "fix") is None
    first = await site.forge.create_pull_request(site.url, "fix", "main", TEXT)
    assert (first.state, first.draft, first.title, first.body) == ("open", True, TEXT.title, TEXT.body)
    with pytest.raises(Conflict, match="fix"):
        await site.forge.create_pull_request(site.url, "fix", "main", TEXT)
    site.edit(first.number, state="closed")
    second = await site.forge.create_pull_request(site.url, "fix", "main", TEXT)
    site.edit(second.number, state="merged")
    found = await site.forge.find_pull_request(site.url, "fix")
    assert found is not None
    assert (found.number, found.state) == (second.number, "merged")
    site.edit(first.number, state="open")
    found = await site.forge.find_pull_request(site.url, "fix")
    assert found is not None
    assert found.number == first.number
    assert await site.forge.find_pull_request(site.url, "main") is None


async def test_what_is_not_there_is_denied_by_name(site: Site) -> None:
    for branch, base in (("nope", "main"), ("main", "nope")):
        with pytest.raises(Denied, match="nope"):
            await site.forge.create_pull_request(site.url, branch, base, TEXT)
    with pytest.raises(Denied, match="7"):
        await site.forge.update_pull_request(site.url, 7, TEXT)
    with pytest.raises(Denied, match="elsewhere"):
        await site.forge.head(f"{site.url}-elsewhere", "main")
    assert site.pulls() == []


async def test_a_text_is_replaced_and_nothing_else(site: Site) -> None:
    await site.push("fix")
    made = await site.forge.create_pull_request(site.url, "fix", "main", TEXT)
    await site.forge.update_pull_request(site.url, made.number, Text(title="Other", body="words", draft=False))
    (now,) = site.pulls()
    assert now == made.model_copy(update={"title": "Other", "body": "words"})


async def test_an_issue_is_found_by_the_incident_it_is_about_and_not_by_what_it_quotes(site: Site) -> None:
    quoting = with_marker(KEY, "t", f"the log says\n{with_marker(OTHER, 'u', 'x')}")
    made = await site.forge.create_issue(site.url, Text(title="t", body=quoting))
    assert await site.forge.find_issue(site.url, OTHER) is None
    found = await site.forge.find_issue(site.url, KEY)
    assert found == made
    assert len(site.issues()) == 1


async def test_an_issue_is_discussed_like_a_pull_request_and_closed_once(site: Site) -> None:
    await site.push("fix")
    issue = await site.forge.create_issue(site.url, Text(title="t", body=with_marker(KEY, "t", "x")))
    pull = await site.forge.create_pull_request(site.url, "fix", "main", TEXT)
    assert pull.number != issue.number
    said = await site.forge.create_comment(site.url, issue.number, "again")
    await site.forge.create_comment(site.url, pull.number, "elsewhere")
    await site.forge.update_comment(site.url, issue.number, said.id, "again and again")
    assert [one.body for one in await site.forge.comments(site.url, issue.number)] == ["again and again"]
    for _ in range(2):
        await site.forge.close_issue(site.url, issue.number)
        found = await site.forge.find_issue(site.url, KEY)
        assert found is not None
        assert (found.state, found.reopened) == ("closed", False)
    site.reopen(issue.number)
    found = await site.forge.find_issue(site.url, KEY)
    assert found is not None
    assert (found.state, found.reopened) == ("open", True)
    with pytest.raises(Denied, match="77"):
        await site.forge.close_issue(site.url, 77)


async def test_modes_are_kept_files_deleted_and_made(local: LocalSite) -> None:
    local.scratch.commit("more", {"tool": "old\n", "keep/link": "target", "gone/x": "x\n"}, {"tool": EXECUTABLE})
    base = local.scratch.commit("link", {"keep/link": "../tool"}, {"keep/link": LINK, "sub": SUBMODULE})
    changes = (
        FileChange(path="tool", before="old\n", after="new\n"),
        FileChange(path="gone/x", before="x\n", after=None),
        FileChange(path="made/näme with space\t.txt", before=None, after="crlf\r\nno end \u2028"),
        FileChange(path='"quoted".txt', before=None, after=""),
    )
    sha = await local.forge.commit(local.url, base, changes, "all of it")
    local.scratch.shas.append(sha)
    before, after = local.scratch.listed(base), local.scratch.listed(sha)
    assert after.keys() ^ before.keys() == {"gone/x", "made/näme with space\t.txt", '"quoted".txt'}
    assert {name for name in before.keys() & after.keys() if before[name] != after[name]} == {"tool"}
    assert after["tool"][0] == EXECUTABLE
    assert local.scratch.text(sha, "tool") == "new\n"
    assert local.scratch.run("cat-file", "blob", f"{sha}:made/näme with space\t.txt").decode() == changes[2].after
    assert local.scratch.git("rev-parse", f"{sha}^") == base


@pytest.mark.parametrize(
    ("path", "after", "says"),
    [
        ("link", "text\n", "a link"),
        ("link", None, "a link"),
        ("sub", "text\n", "a submodule"),
        ("sub", None, "a submodule"),
        ("dir", "text\n", "dir"),
        ("link/below", "text\n", "link/below"),
        (".git/config", "text\n", ".git/config"),
        ("../outside", "text\n", "outside"),
        ("/abs", "text\n", "/abs"),
    ],
)
async def test_a_path_that_is_not_a_plain_file_is_refused(
    local: LocalSite, path: str, after: str | None, says: str
) -> None:
    base = local.scratch.commit("odd", {"link": "/etc/passwd", "dir/x": "x\n"}, {"link": LINK, "sub": SUBMODULE})
    with pytest.raises(Denied, match=says):
        await local.forge.commit(local.url, base, (FileChange(path=path, before=None, after=after),), "x")
    assert local.branches() == {"main": base}


@pytest.mark.parametrize(
    "url",
    [
        "{folder}/../outside.git",
        "{folder}/acme/%2e%2e/%2e%2e/outside.git",
        "{folder}/acme/escape.git",
        "{folder}",
        "{folder}/acme",
        "{folder}/acme/shop.git%00x",
        "{folder}/acme/shop.git?x",
        "{folder}/acme/shop.git#x",
        "file://evil.example{path}/acme/shop.git",
        "https://forge.example/acme/shop.git",
        "{path}/acme/shop.git",
        "",
    ],
)
async def test_only_bare_repositories_below_the_folder_are_ever_touched(tmp_path: Path, url: str) -> None:
    local = LocalSite(tmp_path)
    outside = tmp_path / "outside.git"
    folder, path = local.folder.as_uri(), local.folder
    local.scratch.run("clone", "--quiet", "--bare", str(local.scratch.path), str(outside))
    (local.folder / "acme" / "escape.git").symlink_to(outside)
    with pytest.raises(Denied):
        await local.forge.create_issue(url.format(folder=folder, path=path), TEXT)
    assert list(tmp_path.glob("*.issues")) + list(tmp_path.glob("*/*.issues")) == []  # noqa: ASYNC240 - a test may wait


async def test_the_same_commit_is_the_same_however_often_and_by_whom_it_is_written(local: LocalSite) -> None:
    sha = await local.forge.commit(local.url, local.base, CHANGE, "x")
    assert await LocalForge(local.folder).commit(local.url, local.base, CHANGE, "x") == sha


async def test_commits_made_at_the_same_time_do_not_mix(local: LocalSite) -> None:
    changes = [(FileChange(path=f"f{at}", before=None, after=f"{at}\n"),) for at in range(12)]
    shas = await asyncio.gather(*(local.forge.commit(local.url, local.base, one, "x") for one in changes))
    for at, sha in enumerate(shas):
        local.scratch.shas.append(sha)
        assert set(local.scratch.listed(sha)) == {"shop.py", "run.sh", f"f{at}"}


async def test_nothing_that_lies_in_the_repository_is_run_or_believed(local: LocalSite) -> None:
    hook = local.scratch.path / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    forged = local.scratch.git("commit-tree", f"{local.base}^{{tree}}", "-m", "forged")
    local.scratch.git("-c", "core.hooksPath=/dev/null", "update-ref", f"refs/replace/{local.base}", forged)
    assert await local.forge.head(local.url, "main") == Head(sha=local.base, message="first\n\n")
    await local.forge.point(local.url, "fix", local.base, None)
    assert local.branches()["fix"] == local.base


async def test_a_branch_cannot_point_at_nothing_and_that_is_no_conflict(local: LocalSite) -> None:
    with pytest.raises(Denied, match="update-ref"):
        await local.forge.point(local.url, "fix", "1" * 40, None)
    with pytest.raises(Denied):
        await local.forge.commit(local.url, "--help", CHANGE, "x")


async def test_a_record_that_a_person_broke_is_named(local: LocalSite) -> None:
    await local.push("fix")
    made = await local.forge.create_pull_request(local.url, "fix", "main", TEXT)
    local.edit(made.number, state="mergd")
    with pytest.raises(Denied, match=r"1\.json"):
        await local.forge.find_pull_request(local.url, "fix")
    local.edit(made.number, state="merged")
    assert await local.forge.find_pull_request(local.url, "fix") is not None


async def test_the_page_of_a_pull_request_shows_its_title_as_text(local: LocalSite) -> None:
    await local.push("fix")
    made = await local.forge.create_pull_request(local.url, "fix", "main", Text(title="<img src=x> @all", body="b\n"))
    page = (local.folder / "acme" / "shop.pulls" / f"{made.number}.md").read_text()
    assert page == "# &lt;img src=x&gt; @&#8203;all\n\nb\n"
    assert made.url == (local.folder / "acme" / "shop.pulls" / "1.md").as_uri()
