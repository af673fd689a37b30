"""A whole diagnosis of a repository on GitHub: the same as of its folder, and few requests."""

import asyncio
from pathlib import Path

import pytest

from agents.diagnosis import diagnose
from agents.triage import triage
from app.adapters.checkout import GitRepository
from tests.github_server import GitHubServer, Repository
from tests.histories import make_repository
from tests.labelled import Case, bundle_of, read_cases
from tests.mirrored import mirrors_of

OPENING = 5
MOST_FETCHES = 8
"""Of files, each of two requests: a diagnosis finds out step by step what it reads, however long the history is."""
CHOSEN = ("python/", "go/", "java/", "javascript/", "states/")
"""The first case of each of these families."""


def chosen() -> list[Case]:
    cases = [case for case in read_cases() if case.source is not None]
    return [next(case for case in cases if case.id.startswith(family)) for family in CHOSEN]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in chosen()])
async def test_a_diagnosis_reads_the_same_from_a_mirror_without_files(
    github: GitHubServer, tmp_path: Path, case: Case
) -> None:
    assert case.source is not None
    shas = await asyncio.to_thread(make_repository, case.source, tmp_path / "service.git")
    manifests = await _manifests(case, tmp_path)
    github.hub.repositories["acme/service"] = Repository("acme", "service", tmp_path / "service.git")
    bundle = bundle_of(case, shas, manifests[0])
    mirror = await mirrors_of(github, tmp_path).open(github.url("acme/service"))
    found = await triage(bundle, mirror, manifests[1])
    requests = len(github.calls)
    expected = await triage(bundle, GitRepository(tmp_path / "service.git"), manifests[1])
    assert diagnose(found) == diagnose(expected)
    assert found == expected
    assert OPENING < requests <= OPENING + 2 * MOST_FETCHES


async def _manifests(case: Case, folder: Path) -> tuple[dict[str, str], GitRepository | None]:
    if case.manifests is None:
        return {}, None
    shas = await asyncio.to_thread(make_repository, case.manifests, folder / "gitops.git")
    return shas, GitRepository(folder / "gitops.git")
