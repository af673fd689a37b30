"""Comments on GitHub over real HTTP, with the line cut around any request: one comment a thread, one line an entry."""

from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from agents.errors import Transient
from agents.pull_request import Record, WantedIssue, ensure_issue, join
from app.adapters.forge_github import GitHubForge
from tests.forges import FIX, KEY, wanted_issue
from tests.github_server import Answer, GitHubServer, HangUp, Repository, Thread
from tests.github_server.clients import forge_of

Step = Callable[[GitHubForge], Awaitable[object]]
OTHER, THIRD, CAUSE = "b" * 32, "c" * 32, "d" * 32
FAULTS: dict[str, HangUp | Answer] = {
    "cut before": HangUp(after=False),
    "cut after": HangUp(after=True),
    "502 after": Answer(502, after=True),
}
MARKED = "text\n\n<!-- selfheal incident={} fix={} text=0123456789abcdef -->\n"


async def until_through(github: GitHubServer, work: Step) -> None:
    """What the engine does: a new process after a crash."""
    try:
        await work(forge_of(github))
    except Transient:
        await work(forge_of(github))


def proposed(github: GitHubServer, name: str) -> tuple[Repository, Record]:
    """A repository with a pull request of ours."""
    repository = github.hub.create(name)
    body = MARKED.format(KEY, FIX)
    repository.open(Thread(1, "t", body, "selfheal", head="selfheal/x", base="main", source=name))
    return repository, Record(number=1, url="u", state="open", title="t", body=body)


def again(url: str, incident: str) -> WantedIssue:
    return wanted_issue(url, incident, cause=CAUSE, line=f"revision of {incident[:4]}")


def lines(repository: Repository) -> list[str]:
    """The list in the one comment of the only thread."""
    (thread,) = repository.threads
    (comment,) = thread.comments
    return [line.partition(" <!--")[0] for line in comment.body.splitlines() if line.startswith("- ")]


async def disturbed(
    github: GitHubServer,
    fault: HangUp | Answer,
    steps: Callable[[str], list[Step]],
) -> list[Repository]:
    """The last step with the fault at each of its requests, in a repository of its own for each."""

    async def run(name: str, at: int) -> int:
        *before, last = steps(name)
        for step in before:
            await step(forge_of(github))
        first = len(github.calls)
        github.trouble = lambda n, *_: fault if n == first + at else None
        await until_through(github, last)
        github.trouble = lambda *_: None
        return len(github.calls) - first

    requests = await run("acme/steady", 0)
    assert requests >= 3
    for at in range(1, requests + 1):
        await run(f"acme/at-{at}", at)
    return [github.hub.repositories[f"acme/at-{at}"] for at in range(1, requests + 1)]


@pytest.mark.parametrize("joined", [(OTHER,), (OTHER, THIRD)], ids=["new comment", "one more line"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_a_crash_around_any_request_of_joining_leaves_one_comment(
    github: GitHubServer, fault: HangUp | Answer, joined: tuple[str, ...]
) -> None:
    def steps(name: str) -> list[Step]:
        _, found = proposed(github, name)
        return [partial(join, github.url(name), found, incident, incident[:4]) for incident in joined]

    for repository in await disturbed(github, fault, steps):
        assert lines(repository)[1:] == [f"- {incident[:4]}" for incident in joined]


@pytest.mark.parametrize("seen", [(KEY, OTHER), (KEY, OTHER, THIRD)], ids=["new comment", "one more line"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_a_crash_around_any_request_of_reporting_again_leaves_one_issue_and_one_comment(
    github: GitHubServer, fault: HangUp | Answer, seen: tuple[str, ...]
) -> None:
    def steps(name: str) -> list[Step]:
        github.hub.create(name)
        return [partial(ensure_issue, again(github.url(name), incident)) for incident in seen]

    for repository in await disturbed(github, fault, steps):
        assert lines(repository) == [f"- revision of {incident[:4]}" for incident in seen[1:]]


async def test_an_issue_is_found_by_its_cause_while_it_is_open(github: GitHubServer) -> None:
    url, forge = github.url("acme/shop"), forge_of(github)
    first = await ensure_issue(again(url, KEY), forge)
    assert await ensure_issue(again(url, OTHER), forge) == first
    github.hub.repositories["acme/shop"].threads[0].state = "closed"
    second = await ensure_issue(again(url, THIRD), forge)
    assert second != first
    assert await ensure_issue(again(url, OTHER), forge) == second
    assert await ensure_issue(again(url, KEY), forge) == first
    assert await ensure_issue(again(url, "e" * 32).model_copy(update={"cause": "0" * 32}), forge) not in {first, second}
