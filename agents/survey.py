"""The survey: what the evidence names, opened as far as the policy allows, and looked at once, before anybody judges.

What could not be looked at becomes a note, never evidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.changes import Repositories, Repository, unread
from agents.errors import Denied, Invalid
from agents.evidence import Bundle, ManifestSource, manifest_source
from agents.policy import Policy, RepositoryFile, RepositoryRule, parse_repository_file
from agents.pull_request import Forge
from agents.triage import Triage, triage


@dataclass(frozen=True)
class Survey:
    """What was looked at before anybody judged: the repositories as far as they may be read, and the findings."""

    bundle: Bundle
    source: Repository | None
    configuration: Repository | None
    manifests: ManifestSource | None
    findings: Triage
    settings: RepositoryFile
    notes: tuple[str, ...]


async def survey(
    bundle: Bundle, repositories: Repositories, forge: Forge, policy: Policy, before: Sequence[str] = ()
) -> Survey:
    """Open the repositories that the evidence names and the policy allows, and look at everything once.

    `before` is what was noted before.
    """
    notes = list(before)
    version, manifests = bundle.manifest.canary, _spelled_as_listed(manifest_source(bundle), policy)
    source = await _open(version.repo, "source", repositories, policy, notes)
    configuration = await _open(manifests.repo if manifests else None, "manifest", repositories, policy, notes)
    findings = await triage(bundle, source, configuration)
    settings = RepositoryFile()
    if source is not None and version.repo is not None:
        settings = await _settings(source, version.repo, policy, forge, notes)
    return Survey(
        bundle=bundle,
        source=source,
        configuration=configuration,
        manifests=manifests,
        findings=findings,
        settings=settings,
        notes=(*notes, *findings.notes, *await _unread(source, version.commit, findings)),
    )


async def _unread(source: Repository | None, revision: str | None, findings: Triage) -> tuple[str, ...]:
    canary = await resolved(source, revision)
    if source is None or canary is None:
        return ()
    frames = findings.trace.frames if findings.trace is not None else ()
    traced = dict.fromkeys(str(frame.file) for frame in frames if frame.file)
    return await unread(source, canary, findings.commits, list(traced))


def _spelled_as_listed(manifests: ManifestSource | None, policy: Policy) -> ManifestSource | None:
    """Argo CD often knows the repository by its ssh address, the policy by its https one."""
    url = policy.listed(manifests.repo) if manifests is not None else None
    return manifests if manifests is None or url is None else manifests.model_copy(update={"repo": url})


async def _open(
    url: str | None, what: str, repositories: Repositories, policy: Policy, notes: list[str]
) -> Repository | None:
    if url is None:
        notes.append(f"the {what} repository is not known")
        return None
    if policy.rule(url) is None:
        notes.append(f"the policy has no entry for the {what} repository {url}")
        return None
    try:
        return await repositories.open(url)
    except Denied as error:
        notes.append(f"the {what} repository cannot be read: {error}")
        return None


async def resolved(repository: Repository | None, revision: str | None) -> str | None:
    """The full sha; annotations may name a tag, or a part of it. What is not there was noted by triage."""
    if repository is None or revision is None:
        return None
    try:
        return await repository.resolve(revision)
    except Denied:
        return None


async def _settings(source: Repository, url: str, policy: Policy, forge: Forge, notes: list[str]) -> RepositoryFile:
    """`.selfheal.yml` of the trusted base commit: never of the canary's, which may be anybody's branch."""
    rule: RepositoryRule | None = policy.rule(url)
    try:
        base = (rule.base if rule else None) or await forge.default_branch(url)
        found = await source.read(await source.resolve(f"refs/heads/{base}"), ".selfheal.yml")
        if found.status != "denied":
            return parse_repository_file(found.text) if found.status == "ok" else RepositoryFile()
        why = str(found.reason)
    except (Denied, Invalid) as error:
        why = str(error)
    notes.append(f"the settings of the source repository cannot be read, so nothing of it is run or changed: {why}")
    return RepositoryFile(verify="none", mode="observe")
