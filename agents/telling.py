"""What the world adds to a story before it is told: pages to link to, the customs of the repository, who knows it."""

import hashlib
import re

from agents.case import Case
from agents.changes import Repository
from agents.errors import Denied, Invalid
from agents.evidence import Manifest, Version
from agents.patch import Patch
from agents.policy import RepositoryRule, parse_repository_file
from agents.pull_request import Forge, reviewers_of
from agents.report import MOST_SUBJECTS, Links, Story, convention_of, subject_of

VARYING = re.compile(r"\b[0-9a-f]{6,64}\b|\d+", re.ASCII)
"""What differs between two failures of one cause: ids, hashes, counts."""


def cause_key(bundle: Manifest, case: Case) -> str | None:
    """Names what failed of which rollout by facts, whatever revision it was; None where nothing tells two apart.

    A sentence that a model wrote has no part in it: it would be another one each time.
    """
    diagnosis, signature = case.diagnosis, case.reproduction.signature
    facts: tuple[str | None, ...]
    if signature is not None:
        facts = (signature.exception, signature.file, signature.function)
    elif diagnosis.by == "rules" and diagnosis.failure:
        facts = (VARYING.sub("#", diagnosis.failure),)
    elif diagnosis.location is not None:
        facts = (diagnosis.location.file, diagnosis.location.function)
    else:
        return None
    parts = (bundle.cluster, bundle.namespace, bundle.rollout, diagnosis.category, *facts)
    return hashlib.sha256("\n".join(str(part) for part in parts).encode("utf-8", "replace")).hexdigest()[:32]


async def with_pages(story: Story, case: Case, forge: Forge) -> Story:
    """The story with links to what it names, as far as the forge has pages of it."""

    async def page(url: str | None, commit: str | None, path: str = "", line: int | None = None) -> str | None:
        if url is None or commit is None:
            return None
        try:
            return await forge.page(url, commit, path, line)
        except Denied:
            return None  # a repository of another forge than those that are configured

    async def of(version: Version) -> str | None:
        return await page(version.repo, version.commit)

    url, commit = _seen_at(story, case)
    place, patch = story.diagnosis.location, story.patch
    links = Links(
        location=await page(url, commit, place.file, place.line) if place is not None else None,
        culprit=await page(url, story.diagnosis.culprit_commit),
        canary=await of(story.bundle.canary),
        stable=await of(story.bundle.stable),
        patched=await page(patch.repository, patch.commit) if patch is not None else None,
    )
    return story.model_copy(update={"links": links})


def _seen_at(story: Story, case: Case) -> tuple[str | None, str | None]:
    """The repository that the diagnosis speaks of, and the canary's commit in it."""
    canary, manifests = story.bundle.canary, case.manifests
    if case.ground is not None:
        return case.ground.url, case.ground.canary
    if story.diagnosis.repository == "manifests":
        return (manifests.repo, manifests.canary) if manifests is not None else (None, None)
    return canary.repo, canary.commit


async def with_customs(story: Story, final: Patch, rule: RepositoryRule, repository: Repository, forge: Forge) -> Story:
    """The story for the people of a repository: in their wording of subjects, and with who should look at it.

    `final` is the patch on the tip of the base branch: what the repository says of itself is read there.
    """
    culprit = final.undoes or story.diagnosis.culprit_commit
    culprits = subject_of((await _message(culprit, repository)).partition("\n")[0])
    reviewers = await reviewers_of(
        final, culprit, await _named(final.commit, repository), rule.max_reviewers, repository, forge
    )
    return story.model_copy(
        update={
            "convention": convention_of(await repository.subjects(final.commit, MOST_SUBJECTS)),
            "scope": culprits.scope if culprits else None,
            "reviewers": reviewers,
        }
    )


async def _message(commit: str | None, repository: Repository) -> str:
    try:
        return await repository.message(commit) if commit is not None else ""
    except Denied:
        return ""


async def _named(commit: str, repository: Repository) -> tuple[str, ...]:
    """`reviewers` of the `.selfheal.yml` of the base branch; a broken one names nobody."""
    found = await repository.read(commit, ".selfheal.yml")
    try:
        return parse_repository_file(found.text).reviewers if found.status == "ok" else ()
    except Invalid:
        return ()
