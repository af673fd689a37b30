"""What GitHub answers when it refuses, as its documentation and its users have it (`refusals.json`, with sources).

Each is told by what follows from it: the call is made once more, the work is done later, somebody was first, or a
person has to do something, who then reads GitHub's own words.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from agents.errors import Conflict, Denied, Transient
from agents.outcome import Reported
from agents.patch import FileChange
from tests.concluding import concluded
from tests.github_server import Answer, GitHubServer, Repository
from tests.github_server.clients import forge_of

REFUSALS: list[dict[str, Any]] = json.loads(
    (Path(__file__).resolve().parents[1] / "github_server" / "refusals.json").read_text(encoding="utf-8")
)
BRANCH = "selfheal/shop-0123456789"
DENIALS = [refusal for refusal in REFUSALS if refusal["ends"] == "denied"]
ERRORS = {"later": Transient, "denied": Denied, "conflict": Conflict}


@pytest.fixture
def shop(github: GitHubServer) -> Repository:
    return github.hub.repositories["acme/shop"]


def refuse(github: GitHubServer, refusal: dict[str, Any], method: str = "POST", ending: str = "git/refs") -> list[str]:
    """GitHub refuses such requests, once where the next is answered; the paths that were refused."""
    refused: list[str] = []

    def answer(_: int, verb: str, path: str) -> Answer | None:
        if verb != method or not path.endswith(ending) or (refused and refusal["ends"] == "repeated"):
            return None
        refused.append(path)
        return Answer(refusal["status"], headers=refusal["headers"], raw=json.dumps(refusal["body"]))

    github.trouble = answer
    return refused


@pytest.mark.parametrize("refusal", REFUSALS, ids=[refusal["name"] for refusal in REFUSALS])
async def test_a_refusal_is_what_follows_from_it(
    github: GitHubServer, shop: Repository, refusal: dict[str, Any]
) -> None:
    sha, url = shop.branches()["main"], github.url("acme/shop")
    refused = refuse(github, refusal)
    if refusal["ends"] == "repeated":
        await forge_of(github).point(url, BRANCH, sha, None)
        assert shop.branches()[BRANCH] == sha
    else:
        with pytest.raises(ERRORS[refusal["ends"]]) as raised:
            await forge_of(github).point(url, BRANCH, sha, None)
        assert refusal["says"].lower() in str(raised.value).lower()
        assert "pointing the branch" in str(raised.value)
    assert len(refused) == 1
    assert refusal["source"].startswith("https://")


@pytest.mark.parametrize("refusal", DENIALS[-3:], ids=lambda one: one["name"])
async def test_a_person_reads_in_the_issue_why_there_is_no_pull_request(
    github: GitHubServer, shop: Repository, refusal: dict[str, Any], tmp_path: Path
) -> None:
    refuse(github, refusal)
    outcome = await concluded(github, shop, tmp_path)
    assert isinstance(outcome, Reported)
    assert refusal["says"].lower() in outcome.reasons[0].lower()
    (issue,) = shop.issues
    assert issue.body.startswith("**No pull request:** the forge refuses")
    assert shop.pulls == []


@pytest.mark.parametrize("ending", ["/labels", "/requested_reviewers", "/timeline"])
@pytest.mark.parametrize("refusal", DENIALS[:1], ids=lambda one: one["name"])
async def test_labels_and_reviewers_never_cost_the_pull_request(
    github: GitHubServer, shop: Repository, refusal: dict[str, Any], ending: str, tmp_path: Path
) -> None:
    refuse(github, refusal, "GET" if ending == "/timeline" else "POST", ending)
    first = await concluded(github, shop, tmp_path)
    assert await concluded(github, shop, tmp_path) == first
    (pull,) = shop.pulls
    assert pull.state == "open"
    assert f"{github.url('acme/shop')}/pull/{pull.number}" in str(first)


async def test_a_workflow_that_github_hides_is_named(github: GitHubServer, shop: Repository) -> None:
    """For a tree with workflows, GitHub answers some tokens without the permission that nothing is there."""
    github.trouble = lambda _n, _m, path: Answer(404, "Not Found") if path.endswith("git/trees") else None
    change = FileChange(path=".github/workflows/ci.yml", before=None, after="on: push\n")
    with pytest.raises(Denied, match="permission `workflows`, which this service does not ask for"):
        await forge_of(github).commit(github.url("acme/shop"), shop.branches()["main"], (change,), "m")
