"""What the `Forge` port promises, where GitHub makes it hard: modes, links, forks, plans, permissions, and limits."""

import pytest

from agents.errors import Conflict, Denied
from agents.patch import FileChange
from agents.pull_request import LABEL, Text, with_marker
from app.adapters.forge_github import GitHubForge
from tests.github_server import READER, WRITER, GitHubServer, Grant, Repository, Thread
from tests.github_server.clients import access_of, forge_of

INCIDENT = "0123456789abcdef" * 2
BRANCH = "selfheal/shop-0123456789"
TEXT = Text(title="Restore the price", body=with_marker(INCIDENT, "Restore the price", "Why."), draft=True)


def change(path: str, after: str | None, before: str | None = "") -> FileChange:
    return FileChange(path=path, before=before, after=after)


@pytest.fixture
def shop(github: GitHubServer) -> Repository:
    return github.hub.repositories["acme/shop"]


@pytest.fixture
def url(github: GitHubServer) -> str:
    return github.url("acme/shop")


async def committed(github: GitHubServer, shop: Repository, *changes: FileChange) -> str:
    return await forge_of(github).commit(github.url("acme/shop"), shop.branches()["main"], changes, "m\n\nKey: value\n")


# --- commits


async def test_a_commit_keeps_modes_and_neighbours_and_takes_files_away(github: GitHubServer, shop: Repository) -> None:
    shop.push("main", {"shop/old.py": "x\n", "shop/b/c.py": "c\n"})
    odd = "price = 2\r\nname = 'Käse ☃'\n\n  # no newline at the end, and a quote: \"\\u0041"
    sha = await committed(
        github, shop, change("run.sh", "exec shop --fast\n"), change("shop/app.py", odd), change("shop/old.py", None),
        change("new/deep/file.py", "n\n"),
    )  # fmt: skip
    listed = shop.git("ls-tree", "-r", "--format=%(objectmode) %(path)", sha).splitlines()
    assert listed == ["100644 new/deep/file.py", "100755 run.sh", "100644 shop/app.py", "100644 shop/b/c.py"]
    assert shop.git_bytes("show", f"{sha}:shop/app.py") == odd.encode()
    assert shop.git("rev-parse", f"{sha}^") == shop.branches()["main"]
    assert shop.branches().keys() == {"main"}


async def test_the_author_is_left_to_github_so_that_it_signs(github: GitHubServer, shop: Repository) -> None:
    sha = await committed(github, shop, change("shop/app.py", "price = 2\n"))
    assert shop.git("show", "-s", "--format=%an %cn", sha) == "selfheal[bot] selfheal[bot]"
    assert shop.git("show", "-s", "--format=%B", sha).strip() == "m\n\nKey: value"


async def test_taking_away_what_is_not_there_changes_nothing(github: GitHubServer, shop: Repository) -> None:
    sha = await committed(github, shop, change("no/such.py", None), change("shop/none.py", None))
    assert shop.git("rev-parse", f"{sha}^{{tree}}") == shop.git("rev-parse", "main^{tree}")


@pytest.mark.parametrize("path", ["link", "link/x.py", "vendored", "vendored/x.py", "shop", "run.sh/x.py"])
@pytest.mark.parametrize("after", ["x\n", None])
async def test_only_regular_files_in_real_folders_are_changed(
    github: GitHubServer, shop: Repository, path: str, after: str | None
) -> None:
    tip = shop.branches()["main"]
    modes = {"link": "120000", "vendored": "160000"}
    shop.push("main", {"link": "/etc/passwd", "vendored": tip}, modes=modes)
    with pytest.raises(Denied, match=r"(?:link|vendored|shop|run\.sh) is "):
        await committed(github, shop, change(path, after))
    assert github.writes("git/trees") == []


async def test_text_that_is_not_unicode_is_denied_not_tried_again(github: GitHubServer, shop: Repository) -> None:
    with pytest.raises(Denied, match="not Unicode"):
        await committed(github, shop, change("shop/app.py", "half a pair: \ud800"))
    assert github.writes() == []


async def test_a_parent_that_github_does_not_have_is_denied(github: GitHubServer, url: str) -> None:
    with pytest.raises(Denied, match="writing a commit"):
        await forge_of(github).commit(url, "a" * 40, (change("a", "b"),), "m")
    assert github.writes() == []


# --- branches


async def test_the_head_is_that_of_the_very_branch(github: GitHubServer, shop: Repository, url: str) -> None:
    forge = forge_of(github)
    sha = shop.push("selfheal/shop-1", {"a": "1"}, "Fix\n\nSelfheal-Incident: 1\n")
    found = await forge.head(url, "selfheal/shop-1")
    assert found is not None
    assert found.sha == sha
    assert found.message.strip().endswith("Selfheal-Incident: 1")
    assert await forge.head(url, "selfheal/shop") is None
    assert await forge.head(url, "selfheal") is None
    assert await forge.default_branch(url) == "main"


async def test_a_branch_moves_only_from_where_it_is_expected(github: GitHubServer, shop: Repository, url: str) -> None:
    forge, main = forge_of(github), shop.branches()["main"]
    first = await committed(github, shop, change("shop/app.py", "price = 2\n"))
    second = await committed(github, shop, change("shop/app.py", "price = 3\n"))
    await forge.point(url, BRANCH, first, None)
    with pytest.raises(Conflict):
        await forge.point(url, BRANCH, second, None)
    with pytest.raises(Conflict):
        await forge.point(url, BRANCH, second, main)
    assert shop.branches()[BRANCH] == first
    await forge.point(url, BRANCH, second, first)
    assert shop.branches()[BRANCH] == second
    with pytest.raises(Conflict, match="gone"):
        await forge.point(url, "selfheal/none", second, first)
    with pytest.raises(Denied, match="Object does not exist"):
        await forge.point(url, "selfheal/none", "a" * 40, None)


async def test_a_branch_named_like_our_folder_is_in_the_way(github: GitHubServer, shop: Repository, url: str) -> None:
    shop.push("selfheal", {"a": "1"})
    with pytest.raises(Denied, match="Reference update failed"):
        await forge_of(github).point(url, BRANCH, shop.branches()["main"], None)


async def test_an_empty_repository_is_denied_not_raced_for(github: GitHubServer) -> None:
    github.hub.create("acme/empty")
    with pytest.raises(Denied, match="empty"):
        await forge_of(github).head(github.url("acme/empty"), BRANCH)


# --- pull requests and issues


async def test_a_plan_without_drafts_gets_no_pull_request_that_looks_like_one(
    github: GitHubServer, shop: Repository, url: str
) -> None:
    shop.has_drafts = False
    shop.push(BRANCH, {"a": "1"})
    with pytest.raises(Denied, match="mode: ready"):
        await forge_of(github).create_pull_request(url, BRANCH, "main", TEXT)
    assert shop.pulls == []
    ready = TEXT.model_copy(update={"draft": False})
    assert not (await forge_of(github).create_pull_request(url, BRANCH, "main", ready)).draft


async def test_what_github_will_not_propose_is_denied_in_its_words(
    github: GitHubServer, shop: Repository, url: str
) -> None:
    forge = forge_of(github)
    shop.push("same", {})
    shop.git("update-ref", "refs/heads/same", "main")
    with pytest.raises(Denied, match="No commits between main and same"):
        await forge.create_pull_request(url, "same", "main", TEXT)
    with pytest.raises(Denied, match="head is invalid"):
        await forge.create_pull_request(url, "none", "main", TEXT)
    with pytest.raises(Denied, match="body is too long"):
        await forge.create_issue(url, TEXT.model_copy(update={"body": "x" * 65537}))


async def test_the_newest_pull_request_of_our_own_branch_is_found_among_hundreds(
    github: GitHubServer, shop: Repository, url: str
) -> None:
    forge = forge_of(github)
    shop.push(BRANCH, {"a": "1"})
    closed = await forge.create_pull_request(url, BRANCH, "main", TEXT)
    shop.thread(closed.number).state = "closed"
    ours = await forge.create_pull_request(url, BRANCH, "main", TEXT)
    for source in ("acme/shop-fork", None):
        number = len(shop.threads) + 1
        shop.open(Thread(number, "Mine", TEXT.body, "eve", head=BRANCH, base="main", source=source))
    for _ in range(250):
        number = len(shop.threads) + 1
        head = {"head": f"branch-{number}", "base": "main", "source": "acme/shop"}
        shop.open(Thread(number, "Other", "", "ana", state="closed", **head))  # type: ignore[arg-type]
    assert await forge.find_pull_request(url, BRANCH) == ours
    assert await forge.find_pull_request(url, "selfheal/none") is None
    shop.thread(ours.number).state = "closed"
    shop.thread(ours.number).merged = True
    found = await forge.find_pull_request(url, BRANCH)
    assert found is not None
    assert (found.number, found.state) == (ours.number, "merged")


async def test_the_incidents_issue_is_found_by_its_marker_whatever_its_state(
    github: GitHubServer, shop: Repository, url: str
) -> None:
    forge = forge_of(github)
    shop.push(BRANCH, {"a": "1"})
    await forge.create_pull_request(url, BRANCH, "main", TEXT)  # carries the same marker, and is no issue
    assert await forge.find_issue(url, INCIDENT) is None
    ours = await forge.create_issue(url, TEXT)
    assert shop.thread(ours.number).labels == ("self-healing",)
    for _ in range(250):
        shop.open(
            Thread(len(shop.threads) + 1, "Other", with_marker("f" * 32, "Other", "x"), "selfheal", labels=(LABEL,))
        )
    shop.thread(ours.number).state = "closed"
    found = await forge.find_issue(url, INCIDENT)
    assert found is not None
    assert (found.number, found.state) == (ours.number, "closed")


async def test_an_issue_whose_label_github_dropped_is_still_found(
    github: GitHubServer, shop: Repository, url: str
) -> None:
    """A token that may write issues and not contents cannot set labels."""
    github.hub.grants["ghp_reporter"] = Grant("selfheal", {**READER, "issues": "write"})
    forge = forge_of(github, "ghp_reporter")
    ours = await forge.create_issue(url, TEXT)
    assert shop.thread(ours.number).labels == ()
    assert await forge.find_issue(url, INCIDENT) == ours


# --- who may do what


async def test_a_missing_permission_is_named(github: GitHubServer, shop: Repository, url: str) -> None:
    github.hub.grants["ghp_reader"] = Grant("selfheal", READER)
    forge, main = forge_of(github, "ghp_reader"), shop.branches()["main"]
    shop.push(BRANCH, {"a": "1"})
    with pytest.raises(Denied, match="contents=write"):
        await forge.commit(url, main, (change("shop/app.py", "x"),), "m")
    with pytest.raises(Denied, match="contents=write"):
        await forge.point(url, "selfheal/x", main, None)
    with pytest.raises(Denied, match="pull_requests=write"):
        await forge.create_pull_request(url, BRANCH, "main", TEXT)
    with pytest.raises(Denied, match="issues=write"):
        await forge.create_issue(url, TEXT)
    assert len(shop.threads) == 0


async def test_workflows_are_out_of_reach_even_for_a_policy_that_allows_them(
    github: GitHubServer, shop: Repository
) -> None:
    with pytest.raises(Denied, match="workflows=write"):
        await committed(github, shop, change(".github/workflows/ci.yml", "on: push\n"))


@pytest.mark.parametrize(
    ("token", "name", "says"),
    [
        ("ghp_wrong", "acme/shop", "Bad credentials.*expired or revoked"),
        ("ghp_other", "acme/shop", "may not see it"),
        ("ghp_writer", "acme/none", "may not see it"),
        ("ghp_writer", "acme/archive", "archived"),
        ("ghp_writer", "acme/quiet", "Issues has been disabled"),
    ],
)
async def test_what_cannot_be_written_to_is_denied(github: GitHubServer, token: str, name: str, says: str) -> None:
    github.hub.grants["ghp_other"] = Grant("eve", WRITER, frozenset({"eve/own"}))
    github.hub.create("acme/archive").archived = True
    github.hub.create("acme/quiet").has_issues = False
    with pytest.raises(Denied, match=says):
        await forge_of(github, token).create_issue(github.url(name), TEXT)


async def test_a_renamed_repository_is_not_followed_to_its_new_name(
    github: GitHubServer, shop: Repository, url: str
) -> None:
    """The policy allows a name; whoever takes over a repository could otherwise choose what that name means."""
    github.hub.rename("acme/shop", "acme/till")
    with pytest.raises(Denied, match="called acme/till now"):
        await forge_of(github).create_issue(url, TEXT)
    assert shop.threads == []
    assert github.writes() == []


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/shop",
        "{web}.evil.example/acme/shop",
        "{web}@evil.example/acme/shop",
        "{web}/acme/shop/issues",
        "{web}/acme/../shop",
        "{web}/acme/shop?x=1",
        "{web}/acme/shop#x",
        "{web}/acme/sh%6Fp",
        "{web}/acme",
        "{web}/acme/..",
        "file:///acme/shop",
        "",
    ],
)
async def test_another_hosts_url_is_denied_before_anything_is_sent(github: GitHubServer, url: str) -> None:
    access = access_of(github)
    where = url.format(web=github.web)
    with pytest.raises(Denied, match="is not a repository of"):
        await GitHubForge(access).default_branch(where)
    with pytest.raises(Denied, match="is not a repository of"):
        await access.authorization(where)
    assert access.address(where) is None
    assert github.calls == []


async def test_the_ways_to_write_a_repositorys_url_name_the_same_one(github: GitHubServer) -> None:
    access = access_of(github)
    for url in ("{web}/acme/shop", "{web}/acme/shop.git", "{web}/acme/shop/"):
        assert access.address(url.format(web=github.web)) == f"{github.web}/acme/shop.git"
    assert await GitHubForge(access).default_branch(f"{github.web}/Acme/Shop") == "main"
