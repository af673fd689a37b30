"""Finding the next change to try, and trying it: what `fixing` and `verifying` do, one step of the graph at a time.

What asks a model is imported where it is asked: LangChain takes two seconds, and not every service has a model.
"""

from typing import Any, TypedDict, cast

from agents.audit import Act
from agents.budget import Cost
from agents.carrying import aimed, try_on_base
from agents.case import Case, fall_back, model_terms, noted, patched_environment
from agents.diagnosis import BLAMED_IN_VAIN
from agents.draft import Draft, Guard
from agents.errors import Denied
from agents.evidence import Bundle, ManifestSource
from agents.fix import Ground, propose
from agents.patch import BY_MODEL, Patch
from agents.pinning import Unpinned, plan_pin, prove
from agents.policy import (
    NOTHING_KNOWN,
    RepositoryRule,
    refuse_diff,
    refuse_path,
    refuse_secrets,
    refuse_silencing,
    refuse_written_diff,
    refuse_written_path,
)
from agents.ports import Ports
from agents.pull_request import Forge
from agents.rollback import Rollback
from agents.verification import OnBase, Verification, verify


class State(TypedDict, total=False):
    """What one stage leaves for the next, as plain data."""

    attempt: str
    case: dict[str, Any]
    drafts: int
    """How often a model was asked for a fix; `MOST_DRAFTS` once it is not asked any more."""
    tried: int
    """How many of the rules' candidates were tried."""
    cost: dict[str, Any] | None
    patch: dict[str, Any] | None
    verification: dict[str, Any] | None
    outcome: dict[str, Any]


async def ask_for_draft(state: State, case: Case, ports: Ports) -> Draft | None:
    """What a model writes; None where there is none to ask."""
    if ports.models is None or case.ground is None or case.diagnosis.strategy is None:
        return None
    from agents.fixer import write_fix  # noqa: PLC0415 - see the module's docstring

    bundle = await ports.journal.bundle(state["attempt"])
    patch, verification, cost = state["patch"], state["verification"], state.get("cost")
    spent = Cost.model_validate(cost) if cost else Cost(model=ports.models.name)
    try:
        guard = await _guard(case.ground, ports)
    except Denied as error:
        return Draft(patch=None, note=f"no model was asked for a fix: {error}", cost=spent)
    refuted = None
    if patch and verification:
        refuted = (Patch.model_validate(patch), Verification.model_validate(verification))
    asked = Act(action="ask-model", target=ports.models.name, phase="begun", result="for a fix", evidence=cited(case))
    await ports.journal.note(state["attempt"], asked)
    return await write_fix(
        case,
        bundle,
        ports.repositories,
        ports.models,
        guard=guard,
        verify=lambda draft: try_out(draft, case, bundle, ports),
        refuted=refuted,
        spent=spent,
    )


async def _guard(ground: Ground, ports: Ports) -> Guard:
    """The policy on a model's diff, as `conclude` applies it to the final one."""
    rule = ports.policy.rule(ground.url) or RepositoryRule(match=ground.url)
    repository = await ports.repositories.open(ground.url)
    base = rule.base or await ports.forge.default_branch(ground.url)
    terms = await model_terms(repository, await repository.resolve(f"refs/heads/{base}"))
    return Guard(
        path=lambda path: refuse_path(path, rule) or refuse_written_path(path, terms),
        diff=lambda patch: (
            *refuse_diff(patch, rule),
            *refuse_secrets(patch),
            *refuse_silencing(patch, NOTHING_KNOWN),
            *refuse_written_diff(patch, terms),
        ),
    )


async def candidate(state: State, case: Case, ports: Ports) -> tuple[Case, Patch | None, int]:
    """The rules' next candidate, first for the diagnosis that stands, then for their own; and how many were tried."""
    patch, tried = await _propose(case, ports, state["tried"]), state["tried"]
    other = fall_back(case, BLAMED_IN_VAIN) if patch is None else None
    if other is not None:
        found = await _propose(other, ports, 0)
        case, patch, tried = (other, found, 0) if found is not None else (case, None, tried)
    if patch is not None and (state["patch"] or {}).get("strategy") == BY_MODEL:
        case = noted(case, "the changes that the model wrote did not pass the verification; this one is by the rules")
    return case, patch, tried + 1


async def _propose(case: Case, ports: Ports, tried: int) -> Patch | None:
    if case.ground is None:
        return None
    return await propose(case.diagnosis, case.ground, await ports.repositories.open(case.ground.url), tried)


async def try_out(patch: Patch, case: Case, bundle: Bundle, ports: Ports) -> Verification:
    """The case's reproduction before and after the patch."""
    return await verify(
        patch,
        case.reproduction,
        case.program,
        await patched_environment(patch, case, bundle, ports.repositories),
        await aimed(patch, case, case.program, ports.repositories),
        sandbox=ports.sandbox,
        workspace=ports.workspace,
        dependencies=ports.dependencies,
    )


async def plan_rollback(
    attempt: str, case: Case, ports: Ports, forge: Forge | None = None
) -> Rollback | Unpinned | None:
    """The pin to the stable version as it can be made now, or why it cannot; None where it would be out of place."""
    bundle, manifests = await ports.journal.bundle(attempt), case.manifests
    rule = ports.policy.rule(manifests.repo) if manifests else None
    if manifests is None or rule is None or not case.is_pinnable:
        return None
    try:
        base = rule.base or await ports.forge.default_branch(manifests.repo)
        repository = await ports.repositories.open(manifests.repo)
    except Denied as error:
        return Unpinned(reason=str(error))
    pin = await plan_pin(bundle, manifests, base, repository)
    if isinstance(pin, Unpinned):
        return pin
    return Rollback(pin=pin, base=base, rule=rule, repository=repository, forge=forge or ports.forge)


async def prove_pin(patch: Patch, case: Case, bundle: Bundle, ports: Ports) -> Verification:
    """A pin is rendered, not run."""
    manifests = cast("ManifestSource", case.manifests)
    return await prove(patch, bundle, manifests, await ports.repositories.open(patch.repository))


async def try_at_base(patch: Patch, case: Case, bundle: Bundle, ports: Ports) -> OnBase | None:
    """The same on the tip of the base branch, where that needs a trial of its own."""
    rule = ports.policy.rule(patch.repository)
    try:
        base = (rule.base if rule else None) or await ports.forge.default_branch(patch.repository)
    except Denied:
        return None  # who publishes will be told the same, and says so
    return await try_on_base(
        patch,
        case,
        bundle,
        base,
        repositories=ports.repositories,
        sandbox=ports.sandbox,
        workspace=ports.workspace,
        dependencies=ports.dependencies,
    )


def cited(case: Case) -> tuple[str, ...]:
    """What the diagnosis rests on, for the audit trail."""
    return tuple(citation.ref for claim in case.diagnosis.claims for citation in claim.evidence)
