"""`ensure` on GitHub over real HTTP, with the line cut before or after any request: one of everything, ever."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import pytest

from agents.errors import Transient
from agents.patch import FileChange
from agents.pull_request import LABEL, LeftAlone, Proposed, Wanted, ensure, ensure_issue
from app.adapters.forge_github import GitHubForge
from tests.forges import wanted_issue
from tests.github_server import Answer, GitHubServer, HangUp, Repository
from tests.github_server.clients import forge_of, publish

INCIDENT = "0123456789abcdef" * 2
FIX = "fedcba9876543210" * 2
BRANCH = "selfheal/shop-0123456789"
Result = TypeVar("Result")
FAULTS: dict[str, HangUp | Answer] = {
    "cut after": HangUp(after=True),
    "502 after": Answer(502, after=True),
}


def seeded(github: GitHubServer, name: str) -> Repository:
    repository = github.hub.create(name)
    repository.push("main", {"shop/app.py": "price = 1\n"})
    return repository


def wanted(github: GitHubServer, repository: Repository, price: int = 2, text: str = "Red before.") -> Wanted:
    return Wanted(
        repository=github.url(repository.full_name),
        incident=INCIDENT,
        branch=BRANCH,
        base="main",
        base_commit=repository.branches()["main"],
        changes=(FileChange(path="shop/app.py", before="price = 1\n", after=f"price = {price}\n"),),
        message="Restore the price",
        title="Restore the price",
        text=text,
        draft=True,
        fix=FIX,
        labels=(LABEL,),
        reviewers=("ana", "acme/payments"),
    )


async def until_through(
    github: GitHubServer, work: Callable[[GitHubForge], Awaitable[Result]], tries: int = 3
) -> Result:
    """What the engine does: a new process after each crash, until one gets through."""
    for _ in range(tries - 1):
        try:
            return await work(forge_of(github))
        except Transient:
            continue
    return await work(forge_of(github))


def disturb(github: GitHubServer, number: int, fault: HangUp | Answer) -> None:
    """The n-th request from now meets the fault."""
    first = len(github.calls)
    github.trouble = lambda n, *_: fault if n == first + number else None


def when_writing(fault: HangUp | Answer, _number: int, method: str, _path: str) -> HangUp | Answer | None:
    return None if method == "GET" else fault


def assert_one_of_everything(repository: Repository, price: int, text: str) -> None:
    branches = repository.branches()
    assert set(branches) == {"main", BRANCH}
    assert repository.git("rev-list", f"main..{BRANCH}") == branches[BRANCH]
    assert repository.git("show", f"{BRANCH}:shop/app.py") == f"price = {price}"
    assert len(repository.pulls) == 1
    assert repository.pulls[0].state == "open"
    assert repository.pulls[0].body.startswith(text)
    assert repository.pulls[0].labels == (LABEL,)
    assert repository.pulls[0].asked == ("ana", "payments")
    events = [event["event"] for event in repository.pulls[0].events]
    assert sorted(events) == ["labeled", "review_requested", "review_requested"]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_a_crash_around_any_request_still_ends_in_one_pull_request(
    github: GitHubServer, fault: HangUp | Answer
) -> None:
    fresh = seeded(github, "acme/fresh")
    await ensure(wanted(github, github.hub.copy(fresh, "acme/steady")), forge_of(github))
    requests = len(github.calls)
    assert requests > 10
    for number in range(1, requests + 1):
        repository = github.hub.copy(fresh, f"acme/shop-{number}")
        want = wanted(github, repository)
        disturb(github, number, fault)
        outcome = await until_through(github, partial(ensure, want))
        assert isinstance(outcome, Proposed), f"request {number}"
        assert_one_of_everything(repository, 2, "Red before.")


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_a_crash_while_the_proposal_is_renewed_leaves_one_too(
    github: GitHubServer, fault: HangUp | Answer
) -> None:
    """The second attempt of an incident: the branch is moved and the text is rewritten."""
    proposed = seeded(github, "acme/proposed")
    await ensure(wanted(github, proposed), forge_of(github))
    before = len(github.calls)
    await ensure(wanted(github, github.hub.copy(proposed, "acme/steady"), 3, "Better."), forge_of(github))
    requests = len(github.calls) - before
    assert requests > 10
    for number in range(1, requests + 1):
        repository = github.hub.copy(proposed, f"acme/shop-{number}")
        want = wanted(github, repository, 3, "Better.")
        disturb(github, number, fault)
        outcome = await until_through(github, partial(ensure, want))
        assert isinstance(outcome, Proposed), f"request {number}"
        assert_one_of_everything(repository, 3, "Better.")


@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
def test_a_process_killed_at_any_request_leaves_one_pull_request_to_the_next(
    github: GitHubServer, *, after: bool
) -> None:
    """SIGKILL for real: the server kills its caller when the n-th request arrives, and then does it, or does not."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.github_server.clients"])

    def run(repository: Repository) -> int | None:
        process = processes.Process(target=publish, args=(github.api, wanted(github, repository).model_dump_json()))
        process.start()
        running.append(process.pid or 0)
        process.join(30)
        code = process.exitcode
        process.close()
        return code

    def kill_at(number: int, n: int, *_: str) -> HangUp | None:
        if n != number:
            return None
        os.kill(running[-1], signal.SIGKILL)
        return HangUp(after=after)

    running: list[int] = []
    fresh = seeded(github, "acme/fresh")
    assert run(github.hub.copy(fresh, "acme/steady")) == 0
    requests = len(github.calls)
    assert requests > 10
    for number in range(1, requests + 1):
        repository = github.hub.copy(fresh, f"acme/shop-{number}")
        github.trouble = partial(kill_at, len(github.calls) + number)
        assert run(repository) == -signal.SIGKILL, f"request {number}"
        assert run(repository) == 0
        assert_one_of_everything(repository, 2, "Red before.")


async def test_every_answer_lost_once_in_one_run_still_ends_in_one_pull_request_and_one_issue(
    github: GitHubServer,
) -> None:
    repository = github.hub.repositories["acme/shop"]
    lost: set[tuple[str, str]] = set()

    def lose(_number: int, method: str, path: str) -> HangUp | None:
        if (method, path) in lost:
            return None
        lost.add((method, path))
        return HangUp(after=True)

    github.trouble = lose
    url = github.url("acme/shop")
    await until_through(github, partial(ensure, wanted(github, repository)), tries=40)
    await until_through(github, partial(ensure_issue, wanted_issue(url)), tries=40)
    assert {("POST", f"/repos/acme/shop/{what}") for what in ("git/refs", "git/commits", "pulls", "issues")} <= lost
    assert_one_of_everything(repository, 2, "Red before.")
    assert len(repository.issues) == 1


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_a_crash_around_any_request_still_ends_in_one_issue(github: GitHubServer, fault: HangUp | Answer) -> None:
    await ensure_issue(wanted_issue(github.url("acme/shop")), forge_of(github))
    for number in range(1, len(github.calls) + 1):
        repository = seeded(github, f"acme/shop-{number}")
        url = github.url(repository.full_name)
        disturb(github, number, fault)
        where = await until_through(github, partial(ensure_issue, wanted_issue(url)))
        assert where == f"{url}/issues/1"
        assert len(repository.issues) == 1


async def test_a_write_is_sent_once_however_it_fails(github: GitHubServer) -> None:
    """A repeat inside the library would create what a lost answer has created already."""
    repository = github.hub.repositories["acme/shop"]
    for fault in (*FAULTS.values(), Answer(503)):
        github.calls.clear()
        github.trouble = partial(when_writing, fault)
        with pytest.raises(Transient):
            await ensure(wanted(github, repository), forge_of(github))
        assert [call.path for call in github.writes()] == ["/repos/acme/shop/git/blobs"]


async def test_two_workers_at_once_propose_once(github: GitHubServer) -> None:
    for number in range(5):
        repository = seeded(github, f"acme/shop-{number}")
        want = wanted(github, repository)
        outcomes = await asyncio.gather(*(ensure(want, forge_of(github)) for _ in range(2)))
        assert {outcome.pull_request.url for outcome in outcomes} == {f"{github.url(repository.full_name)}/pull/1"}
        assert_one_of_everything(repository, 2, "Red before.")


async def test_what_people_do_on_github_stands(github: GitHubServer) -> None:
    repository = github.hub.repositories["acme/shop"]
    want = wanted(github, repository)
    await ensure(want, forge_of(github))
    pull = repository.pulls[0]
    pull.title = "My words"
    pull.body = f"Reviewed.\r\n\r\n{pull.body}"
    again = await ensure(wanted(github, repository, 2, "Other text."), forge_of(github))
    assert isinstance(again, Proposed)
    assert pull.body.startswith("Reviewed.")
    pushed = repository.push(BRANCH, {"shop/app.py": "price = 5\n"})
    assert await ensure(want, forge_of(github)) == LeftAlone(pull_request=again.pull_request, because="edited")
    pull.state, pull.merged = "closed", True
    assert await ensure(want, forge_of(github)) == LeftAlone(pull_request=again.pull_request, because="merged")
    pull.merged = False
    assert await ensure(want, forge_of(github)) == LeftAlone(pull_request=again.pull_request, because="closed")
    assert repository.branches()[BRANCH] == pushed
    assert len(repository.pulls) == 1
