"""`Repository.message`: what both the fake and git answer."""

import subprocess
from pathlib import Path

import pytest

from agents.changes import Repository
from agents.errors import Denied
from agents.provenance import commit_of
from app.adapters.checkout import GitRepository
from tests.fakes import FakeCommit, FakeRepository

BODY = "Argocd-reference-commit-repourl: https://git.example/acme/shop\nArgocd-reference-commit-sha: 0123456789"


def git(folder: Path, *argv: str) -> str:
    who = ("-c", "user.name=Ana", "-c", "user.email=ana@acme.example", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *who, *argv], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(params=["fake", "git"])
async def repository(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Repository, str]:
    """A repository with one commit, which the tag v1.0 and a branch that looks like a commit id name."""
    if request.param == "fake":
        fake = FakeRepository(FakeCommit("Deploy shop", {"a.txt": "a"}, BODY))
        fake.branches |= {"refs/tags/v1.0": fake.shas[0], "abcdef01": fake.shas[0]}
        return fake, fake.shas[0]
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "a.txt").write_text("a")
    git(tmp_path, "add", "a.txt")
    git(tmp_path, "commit", "-q", "-m", f"Deploy shop\n\n{BODY}")
    git(tmp_path, "tag", "-a", "-m", "the first", "v1.0")
    git(tmp_path, "branch", "abcdef01")
    return await GitRepository.at(tmp_path), git(tmp_path, "rev-parse", "HEAD")


async def test_the_whole_message_is_read(repository: tuple[Repository, str]) -> None:
    found, sha = repository
    assert (await found.message(sha)).rstrip() == f"Deploy shop\n\n{BODY}"
    with pytest.raises(Denied):
        await found.message("0" * 40)


async def test_subjects_are_listed_from_a_commit_back(repository: tuple[Repository, str]) -> None:
    found, sha = repository
    assert await found.subjects(sha, 50) == ("Deploy shop",)
    assert await found.subjects(sha, 0) == ()
    with pytest.raises(Denied):
        await found.subjects("0" * 40, 50)


async def test_a_commit_is_named_by_its_id_or_a_tag_and_by_no_branch(repository: tuple[Repository, str]) -> None:
    found, sha = repository
    assert [await commit_of(found, name) for name in (sha, sha[:7].upper(), "v1.0", "1.0")] == [sha] * 4
    assert [await commit_of(found, name) for name in ("main", "HEAD", "abcdef01", "v1", "../v1.0")] == [None] * 5
