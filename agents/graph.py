"""The pipeline: which stage follows which. Thin nodes; every decision stands in the stage's own module.

A node's name is the state that the store shows while it runs. The graph's state holds plain data only, so that
a checkpoint of one version can be read by the next; the world comes in through `Ports`, which is never
checkpointed. Every node may run twice (a crash after its work, before its checkpoint), and none minds. What asks a
model is imported where it is asked: LangChain takes two seconds, and not every service has a model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypedDict

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from agents.audit import Act, AuditedForge, Trail
from agents.budget import Cost, Models
from agents.carrying import aimed, try_on_base
from agents.case import Case, doubted, fall_back, model_terms, noted, open_case, patched_environment, settled, survey
from agents.changes import Repositories
from agents.diagnosis import BLAMED_IN_VAIN, diagnose, public
from agents.draft import MOST_DRAFTS, Draft, Guard
from agents.errors import Denied
from agents.evidence import Bundle, Registry
from agents.fix import Ground, propose
from agents.incident import State as Stage
from agents.outcome import OUTCOME, Outcome, conclude
from agents.patch import BY_MODEL, Patch
from agents.policy import (
    NOTHING_KNOWN,
    Policy,
    RepositoryRule,
    refuse_diff,
    refuse_path,
    refuse_secrets,
    refuse_silencing,
    refuse_written_diff,
    refuse_written_path,
)
from agents.provenance import identify
from agents.pull_request import Forge, Turns
from agents.verification import Dependencies, OnBase, Sandbox, Verification, Workspace, verify


class Journal(Trail, Protocol):
    """Where an attempt's evidence lies, and its progress and side effects are kept for people to see."""

    async def bundle(self, attempt_id: str) -> Bundle:
        """The attempt's sealed evidence."""
        ...

    async def identified(self, attempt_id: str, bundle: Bundle) -> None:
        """Keep what was found out about the bundle's versions, and the items that were added for it."""
        ...

    async def enter(self, attempt_id: str, stage: Stage) -> None:
        """Note that a stage has begun; again is fine."""
        ...

    async def record(self, attempt_id: str, documents: Mapping[str, dict[str, Any]]) -> None:
        """Keep what a stage found out, under `diagnosis`, `patch`, `verification` or `cost`."""
        ...

    async def finish(self, attempt_id: str, outcome: Outcome) -> None:
        """Keep the outcome and enter the state it ends in."""
        ...


@dataclass(frozen=True)
class Ports:
    """Everything the stages need of the world."""

    journal: Journal
    repositories: Repositories
    forge: Forge
    sandbox: Sandbox
    workspace: Workspace
    policy: Policy
    models: Models | None = None
    """Without a model, the rules diagnose and fix alone."""
    dependencies: Dependencies | None = None
    """None where no packages are fetched."""
    registry: Registry | None = None
    """None where no container registry may be asked."""
    turns: Turns = field(default_factory=Turns)


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


async def diagnosing(state: State, runtime: Runtime[Ports]) -> State:
    ports = runtime.context
    await ports.journal.enter(state["attempt"], Stage.DIAGNOSING)
    policy = ports.policy
    known = await identify(
        await ports.journal.bundle(state["attempt"]),
        ports.repositories,
        policy.listed,
        registry=ports.registry,
        images=policy.images,
    )
    await ports.journal.identified(state["attempt"], known.bundle)
    seen = await survey(known.bundle, ports.repositories, ports.forge, policy, known.notes)
    rules = diagnosis = diagnose(seen.findings)
    cost, drafts = None, 0
    if ports.models is not None and seen.findings.circumstance == "failed":
        from agents.investigator import investigate  # noqa: PLC0415 - see the module's docstring

        asked = Act(action="ask-model", target=ports.models.name, phase="begun", result="for a diagnosis")
        await ports.journal.note(state["attempt"], asked)
        found = await investigate(seen, rules, ports.models)
        diagnosis, cost = found.diagnosis, found.cost.model_dump(mode="json")
        drafts = 0 if found.is_usable else MOST_DRAFTS
    case = await open_case(seen, diagnosis, rules)
    await ports.journal.record(state["attempt"], {"diagnosis": _shown(case), **({"cost": cost} if cost else {})})
    document = case.model_dump(mode="json")
    return {"case": document, "drafts": drafts, "tried": 0, "cost": cost, "patch": None, "verification": None}


async def fixing(state: State, runtime: Runtime[Ports]) -> State:
    """A model's draft while it has one, then the rules' candidates."""
    ports = runtime.context
    await ports.journal.enter(state["attempt"], Stage.FIXING)
    case, drafts, tried = Case.model_validate(state["case"]), state.get("drafts", 0), state["tried"]
    draft = await _draft(state, case, ports) if drafts < MOST_DRAFTS else None
    patch, cost = (draft.patch, draft.cost.model_dump(mode="json")) if draft else (None, state.get("cost"))
    drafts = drafts + 1 if patch is not None else MOST_DRAFTS
    if draft is not None and draft.note is not None:
        case = noted(case, draft.note)
    if patch is None:
        case, patch, tried = await _candidate(state, case, ports)
    if patch is None and state["verification"]:
        case = doubted(case, Verification.model_validate(state["verification"]))
    documents = {"diagnosis": _shown(case), **({"cost": cost} if cost else {})}
    left: State = {"case": case.model_dump(mode="json"), "drafts": drafts, "tried": tried, "cost": cost}
    if patch is not None:
        document = patch.model_dump(mode="json")
        documents["patch"] = document | {"diff": patch.diff}
        left |= {"patch": document, "verification": None}
    await ports.journal.record(state["attempt"], documents)
    return left


async def verifying(state: State, runtime: Runtime[Ports]) -> State:
    ports = runtime.context
    await ports.journal.enter(state["attempt"], Stage.VERIFYING)
    case, patch = Case.model_validate(state["case"]), Patch.model_validate(state["patch"])
    bundle = await ports.journal.bundle(state["attempt"])
    verification = await _verify(patch, case, bundle, ports)
    if verification.verdict == "verified":
        on_base = await _try_on_base(patch, case, bundle, ports)
        verification = verification.model_copy(update={"base": on_base})
    case = settled(case, patch, verification)
    document = verification.model_dump(mode="json")
    await ports.journal.record(state["attempt"], {"verification": document, "diagnosis": _shown(case)})
    return {"verification": document, "case": case.model_dump(mode="json")}


async def publishing(state: State, runtime: Runtime[Ports]) -> State:
    ports = runtime.context
    await ports.journal.enter(state["attempt"], Stage.PUBLISHING)
    bundle = await ports.journal.bundle(state["attempt"])
    patch, verification = state["patch"], state["verification"]
    case = Case.model_validate(state["case"])
    async with ports.turns.at(case.ground.url if case.ground else ""):
        outcome = await conclude(
            bundle.manifest,
            case,
            Patch.model_validate(patch) if patch else None,
            Verification.model_validate(verification) if verification else None,
            repositories=ports.repositories,
            forge=AuditedForge(ports.forge, ports.journal, state["attempt"], _cited(case)),
            policy=ports.policy,
        )
    await ports.journal.finish(state["attempt"], outcome)
    return {"outcome": OUTCOME.dump_python(outcome, mode="json")}


async def _draft(state: State, case: Case, ports: Ports) -> Draft | None:
    """What a model writes; None where there is none to ask."""
    if ports.models is None or case.ground is None:
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
    asked = Act(action="ask-model", target=ports.models.name, phase="begun", result="for a fix", evidence=_cited(case))
    await ports.journal.note(state["attempt"], asked)
    return await write_fix(
        case,
        bundle,
        ports.repositories,
        ports.models,
        guard=guard,
        verify=lambda draft: _verify(draft, case, bundle, ports),
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


async def _candidate(state: State, case: Case, ports: Ports) -> tuple[Case, Patch | None, int]:
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


async def _verify(patch: Patch, case: Case, bundle: Bundle, ports: Ports) -> Verification:
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


async def _try_on_base(patch: Patch, case: Case, bundle: Bundle, ports: Ports) -> OnBase | None:
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


def _cited(case: Case) -> tuple[str, ...]:
    """What the diagnosis rests on, for the audit trail."""
    return tuple(citation.ref for claim in case.diagnosis.claims for citation in claim.evidence)


def _shown(case: Case) -> dict[str, Any]:
    """The diagnosis as callers read it, with who made it."""
    return public(case.diagnosis) | {"by": case.diagnosis.by, "notes": list(case.diagnosis.notes)}


def after_diagnosing(state: State) -> Literal["fixing", "publishing"]:
    """A cause that nothing in Git would remove is reported at once."""
    case = state["case"]
    return "fixing" if case["diagnosis"]["strategy"] and case["ground"] else "publishing"


def after_fixing(state: State) -> Literal["verifying", "publishing"]:
    """A new patch is verified; when none is left, the last refuted one is reported."""
    return "verifying" if state["patch"] and not state["verification"] else "publishing"


def after_verifying(state: State) -> Literal["fixing", "publishing"]:
    """A refuted patch makes way for the next candidate."""
    verification = state["verification"]
    return "fixing" if verification and verification["verdict"] == "refuted" else "publishing"


def build(
    checkpointer: BaseCheckpointSaver[str] | None = None,
) -> CompiledStateGraph[State, Ports, State, State]:
    """The compiled pipeline; the picture in the README is drawn from it."""
    graph = StateGraph(State, context_schema=Ports)
    for name, node in (
        (Stage.DIAGNOSING, diagnosing),
        (Stage.FIXING, fixing),
        (Stage.VERIFYING, verifying),
        (Stage.PUBLISHING, publishing),
    ):
        graph.add_node(name.value, node)
    graph.add_edge(START, Stage.DIAGNOSING.value)
    graph.add_conditional_edges(Stage.DIAGNOSING.value, after_diagnosing)
    graph.add_conditional_edges(Stage.FIXING.value, after_fixing)
    graph.add_conditional_edges(Stage.VERIFYING.value, after_verifying)
    graph.add_edge(Stage.PUBLISHING.value, END)
    return graph.compile(checkpointer=checkpointer)
