"""The case: what diagnosing hands on to fixing, verifying and publishing, in one noun.

Made of the survey and a diagnosis of it: where a fix belongs, how the failure could be seen again, who is told.
"""

import asyncio
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from agents.changes import Repositories, Repository, read_manifests
from agents.diagnosis import Diagnosis, doubt, settle
from agents.errors import Invalid
from agents.evidence import Bundle, Failing, ManifestSource, failing_of
from agents.fix import Ground
from agents.patch import Patch
from agents.pinning import is_worth_pinning
from agents.policy import Background, ModelTerms, parse_repository_file
from agents.remarks import Tried
from agents.strategies.restarting import Watched, watched
from agents.survey import Survey, resolved
from agents.verification import (
    Commands,
    Environment,
    Program,
    Reproduction,
    Verification,
    derive,
    rendered_environment,
    with_tests,
)

MODE_ANNOTATION = "selfheal.io/mode"


class Ruling(BaseModel):
    """A diagnosis, and the ground that a fix of it has."""

    model_config = ConfigDict(frozen=True)

    diagnosis: Diagnosis
    ground: Ground | None


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
    home: str | None
    """The repository whose people are told where there is no fix; None where it is not known, or nobody needs to be."""
    manifests: ManifestSource | None
    modes: tuple[str, ...]
    """What the Rollout's annotation and `.selfheal.yml` say about the mode."""
    notes: tuple[str, ...]
    tried: tuple[Tried, ...] = ()
    """The changes that the verification refuted, in the order in which they were made."""
    is_pinnable: bool = False
    """Whether the version itself is at fault, so that the stable one may be pinned where nothing better is found."""
    watched: Watched | None = None
    """What Argo Rollouts starts a canary of this rollout for."""
    failing: Failing = Failing()
    """What the cluster says of the failure."""
    rules: Ruling | None = None
    """What the rules say, where a model's diagnosis stands above."""


async def open_case(seen: Survey, diagnosis: Diagnosis, rules: Diagnosis) -> Case:
    """Gather what the later stages need. `rules` is the rules' diagnosis, and may be the same."""
    bundle, findings, settings = seen.bundle, seen.findings, seen.settings
    version = bundle.manifest.canary
    canary = await resolved(seen.source, version.commit)
    program = None
    if version.repo and canary:
        good = bundle.manifest.stable
        stable = await resolved(seen.source, good.commit if good.repo == version.repo else None)
        program = Program(url=version.repo, commit=canary, stable=stable)
    reproduction = derive(bundle, findings.trace, findings.signature, settings.commands, findings.slowdown)
    place = diagnosis.location if diagnosis.repository == "manifests" else None
    values = tuple(value for value in findings.values if place is not None and value.file == place.file)
    return Case(
        diagnosis=diagnosis,
        reproduction=reproduction.model_copy(update={"values": values}),
        commands=await with_tests(settings.commands, seen.source, canary, diagnosis.location),
        program=program,
        ground=await _ground_of(diagnosis, seen),
        home=_home_of(diagnosis, seen),
        manifests=seen.manifests,
        modes=tuple(mode for mode in (_annotated_mode(bundle), settings.mode) if mode is not None),
        notes=seen.notes,
        is_pinnable=is_worth_pinning(diagnosis, bundle) and seen.configuration is not None,
        watched=watched(bundle),
        failing=failing_of(bundle),
        rules=Ruling(diagnosis=rules, ground=await _ground_of(rules, seen)) if diagnosis.by == "model" else None,
    )


def settled(case: Case, patch: Patch, verification: Verification) -> Case:
    """The case once a patch is verified: what it takes back is what broke the canary."""
    if verification.verdict != "verified" or patch.undoes is None:
        return case
    return case.model_copy(update={"diagnosis": settle(case.diagnosis, patch.undoes)})


def doubted(case: Case) -> Case:
    """The case when no fix is left: a failure that stays whatever is taken back of the blamed change acquits it."""
    blamed = case.diagnosis.culprit_commit
    tried = [one for one in case.tried if blamed is not None and one.undoes == blamed]
    if not tried or not all(one.is_in_vain for one in tried):
        return case
    return case.model_copy(update={"diagnosis": doubt(case.diagnosis)})


def fall_back(case: Case, why: str) -> Case | None:
    """The case as the rules alone see it; None where they blame the same, or no model has judged."""
    ruling, blamed = case.rules, case.diagnosis
    if ruling is None or ruling.diagnosis.strategy is None:
        return None
    if (ruling.diagnosis.repository, ruling.diagnosis.culprit_commit) == (blamed.repository, blamed.culprit_commit):
        return None
    diagnosis = ruling.diagnosis.model_copy(update={"notes": (*case.diagnosis.notes, why)})
    return case.model_copy(update={"diagnosis": diagnosis, "ground": ruling.ground, "rules": None})


def noted(case: Case, *notes: str) -> Case:
    """The case with more to tell the reader about how its diagnosis and its fix came about."""
    diagnosis = case.diagnosis.model_copy(update={"notes": (*case.diagnosis.notes, *notes)})
    return case.model_copy(update={"diagnosis": diagnosis})


def refuted(case: Case, patch: Patch, verification: Verification) -> Case:
    """The case with one more change that was tried in vain."""
    because = next(iter(verification.unchecked), "the failure is still there")
    of_blamed = case.diagnosis.culprit_commit if patch.strategy == "restore" else None
    tried = Tried(
        strategy=patch.strategy,
        what=patch.why,
        because=because,
        undoes=patch.undoes or of_blamed,
        is_in_vain=verification.after.result == "failed",
    )
    return case.model_copy(update={"tried": (*case.tried, tried)})


async def model_terms(repository: Repository, base_commit: str) -> ModelTerms:
    """What a model's diff must keep to, from the trusted base commit; a broken `.selfheal.yml` allows nothing."""
    found = await repository.read(base_commit, ".selfheal.yml")
    try:
        allow = parse_repository_file(found.text).allow if found.status == "ok" else ()
    except Invalid:
        allow = ()
    return ModelTerms(allow=allow, paths=frozenset(await repository.files(base_commit)))


async def background_of(
    paths: Sequence[str], diagnosis: Diagnosis, ground: Ground, repository: Repository
) -> Background:
    """What the stable version has at these paths, and what the diagnosis says and quotes."""
    stable: dict[str, str | None] = {}
    for path in paths:
        found = await repository.read(ground.stable, path)
        if found.status != "denied":
            stable[path] = found.text if found.status == "ok" else None
    quotes = [citation.quote for claim in diagnosis.claims for citation in claim.evidence]
    said = [diagnosis.summary, *(claim.text for claim in diagnosis.claims), *quotes]
    return Background(stable=stable, grounds="\n".join(said))


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


async def _ground_of(diagnosis: Diagnosis, seen: Survey) -> Ground | None:
    version, stable, manifests = seen.bundle.manifest.canary, seen.bundle.manifest.stable, seen.manifests
    if diagnosis.repository == "source":
        known_good = stable.commit if stable.repo == version.repo else None
        return await _ground(seen.source, version.repo, known_good, version.commit)
    if diagnosis.repository == "manifests" and manifests is not None:
        return await _ground(seen.configuration, manifests.repo, manifests.stable, manifests.canary)
    return None


def _home_of(diagnosis: Diagnosis, seen: Survey) -> str | None:
    """Where the cause would be looked into: among the manifests for what they say, else beside the code.

    Of those that may be read, and none where a person ended the canary: they know.
    """
    if seen.findings.circumstance in {"manual-abort", "inconclusive"}:
        return None
    source = seen.bundle.manifest.canary.repo if seen.source is not None else None
    manifests = seen.manifests.repo if seen.manifests is not None and seen.configuration is not None else None
    in_manifests = diagnosis.category in {"config", "analysis"} or diagnosis.repository == "manifests"
    return (manifests or source) if in_manifests else (source or manifests)


async def _ground(
    repository: Repository | None, url: str | None, stable: str | None, canary: str | None
) -> Ground | None:
    old, new = await resolved(repository, stable), await resolved(repository, canary)
    return Ground(url=url, stable=old, canary=new) if url and old and new else None


def _annotated_mode(bundle: Bundle) -> str | None:
    for rollout in bundle.objects("rollout"):
        mode = (rollout.get("metadata", {}).get("annotations") or {}).get(MODE_ANNOTATION)
        if mode is not None:
            return str(mode)
    return None
