"""The case: what diagnosing hands on to fixing, verifying and publishing, in one noun.

Opens the repositories that the evidence names and the policy allows, lets triage and diagnosis look, and works out
how the failure could be seen again. What could not be looked at becomes a note, never evidence.
"""

import asyncio
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from agents.changes import Repositories, Repository
from agents.diagnosis import Diagnosis, diagnose
from agents.errors import Denied, Invalid
from agents.evidence import Bundle, ManifestSource, manifest_source
from agents.fix import Ground
from agents.patch import Patch
from agents.policy import Policy, RepositoryFile, RepositoryRule, parse_repository_file
from agents.pull_request import Forge
from agents.triage import read_manifests, triage
from agents.verification import (
    Commands,
    Environment,
    Program,
    Reproduction,
    derive,
    rendered_environment,
)

MODE_ANNOTATION = "selfheal.io/mode"


class Case(BaseModel):
    """Everything known before the first patch is tried."""

    model_config = ConfigDict(frozen=True)

    diagnosis: Diagnosis
    reproduction: Reproduction
    commands: Commands
    program: Program | None
    """The source repository at the canary's commit, where it is known and may be read."""
    ground: Ground | None
    """Where the fix belongs; None where that repository is not known or not allowed."""
    manifests: ManifestSource | None
    modes: tuple[str, ...]
    """What the Rollout's annotation and `.selfheal.yml` say about the mode."""
    notes: tuple[str, ...]


async def open_case(
    bundle: Bundle, repositories: Repositories, forge: Forge, policy: Policy, before: Sequence[str] = ()
) -> Case:
    """Diagnose a bundle, and gather what the later stages need. `before` is what was noted before."""
    notes = list(before)
    version, stable = bundle.manifest.canary, bundle.manifest.stable
    manifests = _spelled_as_listed(manifest_source(bundle), policy)
    source = await _open(version.repo, "source", repositories, policy, notes)
    configuration = await _open(manifests.repo if manifests else None, "manifest", repositories, policy, notes)
    findings = await triage(bundle, source, configuration)
    diagnosis = diagnose(findings)
    settings = RepositoryFile()
    if source is not None and version.repo is not None:
        settings = await _settings(source, version.repo, policy, forge, notes)
    program = None
    if source is not None and version.repo and version.commit:
        program = Program(url=version.repo, commit=version.commit)
    ground = None
    if diagnosis.repository == "source" and program and stable.commit and stable.repo == program.url:
        ground = Ground(url=program.url, stable=stable.commit, canary=program.commit)
    if diagnosis.repository == "manifests" and configuration is not None and manifests is not None:
        ground = Ground(url=manifests.repo, stable=manifests.stable, canary=manifests.canary)
    return Case(
        diagnosis=diagnosis,
        reproduction=derive(bundle, findings.trace, findings.signature, settings.commands),
        commands=settings.commands,
        program=program,
        ground=ground,
        manifests=manifests,
        modes=tuple(mode for mode in (_annotated_mode(bundle), settings.mode) if mode is not None),
        notes=(*notes, *findings.notes),
    )


def _spelled_as_listed(manifests: ManifestSource | None, policy: Policy) -> ManifestSource | None:
    """Argo CD often knows the repository by its ssh address, the policy by its https one."""
    url = policy.listed(manifests.repo) if manifests is not None else None
    return manifests if manifests is None or url is None else manifests.model_copy(update={"repo": url})


async def patched_environment(
    patch: Patch, case: Case, bundle: Bundle, repositories: Repositories
) -> Environment | None:
    """What the patched manifests give the program; None for a patch of the program itself."""
    manifests = case.manifests
    if manifests is None or patch.repository != manifests.repo:
        return None
    repository = await repositories.open(manifests.repo)
    files = await read_manifests(repository, patch.commit, manifests)
    for change in patch.changes:
        files.pop(change.path, None)
        if change.after is not None:
            files[change.path] = change.after
    return await asyncio.to_thread(rendered_environment, files, bundle, case.reproduction.container)


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


async def _settings(source: Repository, url: str, policy: Policy, forge: Forge, notes: list[str]) -> RepositoryFile:
    """`.selfheal.yml` of the trusted base commit: never of the canary's, which may be anybody's branch."""
    rule: RepositoryRule | None = policy.rule(url)
    try:
        base = (rule.base if rule else None) or await forge.default_branch(url)
        found = await source.read(await source.resolve(base), ".selfheal.yml")
        return parse_repository_file(found.text) if found.status == "ok" else RepositoryFile()
    except (Denied, Invalid) as error:
        notes.append(f"no settings of the source repository: {error}")
        return RepositoryFile(verify="none", mode="observe")


def _annotated_mode(bundle: Bundle) -> str | None:
    for rollout in bundle.objects("rollout"):
        mode = (rollout.get("metadata", {}).get("annotations") or {}).get(MODE_ANNOTATION)
        if mode is not None:
            return str(mode)
    return None
